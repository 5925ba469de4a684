"""What a push leaves, also where something goes wrong: all of it or nothing, and never a wrong file."""

from __future__ import annotations

import json

import pytest

from ggufpress.errors import GgufError, GgufpressError, HubError, OutputError, RepositoryError, UsageError
from ggufpress.publish.describing import source_facts
from ggufpress.publish.facts import Source
from ggufpress.publish.front_matter import BEGIN, END
from ggufpress.publish.publication import About, Publication
from ggufpress.publish.target import Target
from tests.hubserver.faults import (
    CutUpload,
    Drop,
    ExpiredUrl,
    Fault,
    Hang,
    LostReply,
    Reset,
    SpoilUpload,
    Status,
    Truncate,
    WrongBytes,
    expired_token,
)
from tests.publish.conftest import REPO, TOKEN, World, tiny

COMMIT = rf"hub POST /api/models/{REPO}/commit/"


def puts(world: World) -> list[str]:
    """The uploads that the server took."""
    return [one.line for one in world.hub.log if one.line.startswith("cdn PUT") and one.status == 200]


def test_everything_appears_in_one_commit(world: World) -> None:
    models = world.models()
    outcome = world.push(models, private=True)
    assert world.complete(models, world.files())
    repository = world.hub.store.repositories[REPO]
    assert repository.private
    assert len(repository.commits) == 3, "the empty one, that of .gitattributes and ours"
    assert outcome.page.endswith(f"/{REPO}")
    assert outcome.committed
    assert outcome.committed.url.endswith(repository.refs["main"])
    assert set(outcome.sent) == {"tiny-Q8_0.gguf", "tiny-F16.gguf"}
    assert dict(outcome.commands)["llama.cpp"] == f"llama-cli -hf {REPO}:Q8_0"
    manifest = json.loads(world.files()["ggufpress.json"])
    assert {file["type"] for file in manifest["files"]} == {"Q8_0", "F16"}


def test_the_same_push_again_changes_and_sends_nothing(world: World) -> None:
    models = world.models()
    world.push(models)
    before, sent = world.hub.store.repositories[REPO].refs["main"], len(puts(world))
    outcome = world.push(models)
    assert (outcome.committed, outcome.sent) == (None, ())
    assert set(outcome.there) == {"tiny-Q8_0.gguf", "tiny-F16.gguf"}
    assert world.hub.store.repositories[REPO].refs["main"] == before
    assert len(puts(world)) == sent


def test_a_later_push_adds_to_the_repository_and_keeps_the_owner_s_text(world: World) -> None:
    world.push(world.models("Q8_0"))
    card = world.files()["README.md"].decode()
    world.hub.store.commit(REPO, {"README.md": card.replace(BEGIN, f"My words.\n{BEGIN}").encode(), "LICENSE": b"text"})
    world.push(world.models("F16"))
    files = world.files()
    assert {"tiny-Q8_0.gguf", "tiny-F16.gguf", "LICENSE"} <= files.keys()
    text = files["README.md"].decode()
    assert text.count("My words.") == text.count(BEGIN) == text.count(END) == 1
    assert "tiny-Q8_0.gguf" in text
    assert "tiny-F16.gguf" in text


def test_only_what_is_missing_is_sent_where_a_run_was_cut_before_its_commit(world: World) -> None:
    models = world.models()
    world.hub.faults.add(COMMIT, Status(403), count=99)
    with pytest.raises(HubError):
        world.push(models)
    assert not world.complete(models, world.files())
    sent = len(puts(world))
    assert sent >= 4
    world.hub.faults.clear()
    world.push(models)
    assert world.complete(models, world.files())
    assert len(puts(world)) == sent


def test_an_imatrix_and_manifests_are_published_too(world: World) -> None:
    matrix = world.folder / "calibration.dat"
    matrix.write_bytes(b"importance")
    models = world.models("Q8_0")
    beside = world.folder / "tiny-Q8_0.gguf.manifest.json"
    beside.write_text("{}")
    world.push(models, about={"imatrix": matrix})
    files = world.files()
    assert files["Tiny-Model-imatrix.dat"] == b"importance"
    assert files["tiny-Q8_0.gguf.manifest.json"] == b"{}"
    assert "Tiny-Model-imatrix.dat" in files["README.md"].decode()
    assert world.push(models).committed is None


def test_a_branch_is_made_and_main_stays(world: World) -> None:
    models = world.models()
    world.push(models, branch="v2")
    assert world.complete(models, world.files("v2"))
    assert world.files().keys() == {".gitattributes"}


def test_a_pull_request_is_opened_once_and_gone_on_with(world: World) -> None:
    world.push(world.models("Q8_0"))
    main = world.files()
    models = world.models("F16")
    first = world.push(models, create_pr=True)
    assert first.committed
    assert first.committed.url.endswith(f"/{REPO}/discussions/1")
    assert world.files() == main
    assert "tiny-F16.gguf" in world.files("refs/pr/1")
    again = world.push(models, create_pr=True)
    assert again.committed == first.committed
    tiny(world.folder, "F16").write_bytes(tiny(world.folder, "F16", "other").read_bytes())
    assert len(world.hub.store.repositories[REPO].discussions) == 1
    world.hub.store.repositories[REPO].discussions[0].status = "closed"
    assert world.push(models, create_pr=True).committed != first.committed


def test_somebody_without_rights_may_propose(world: World) -> None:
    world.push(world.models("Q8_0"))
    models = world.models("F16")
    with pytest.raises(HubError, match="refuses"):
        world.push(models, token="hf_bobsToken")
    outcome = world.push(models, token="hf_bobsToken", create_pr=True)
    assert outcome.committed
    assert outcome.committed.pull_request


@pytest.mark.parametrize("lists", ["refs", "discussions", "neither"])
def test_a_lost_reply_opens_no_second_pull_request(lists: str, world: World) -> None:
    world.push(world.models("Q8_0"))
    world.hub.faults.add(COMMIT, LostReply())
    if lists != "refs":
        world.hub.faults.add(r"/refs$", Status(404), count=99)
    if lists != "discussions":
        world.hub.faults.add(r"/discussions$", Status(404), count=99)
    models = world.models("F16")
    if lists == "neither":
        with pytest.raises(HubError, match="reply to the pull request was lost") as caught:
            world.push(models, create_pr=True)
        assert caught.value.hint
        assert "discussions" in caught.value.hint
    else:
        outcome = world.push(models, create_pr=True)
        assert outcome.committed
        assert outcome.committed.url.endswith("/discussions/1")
    assert len(world.hub.store.repositories[REPO].discussions) == 1


def test_a_lost_reply_is_no_second_commit(world: World) -> None:
    world.hub.faults.add(COMMIT, LostReply())
    outcome = world.push(world.models())
    assert outcome.committed
    assert len(world.hub.requests("POST " + COMMIT.removeprefix("hub POST "))) == 1
    assert len(world.hub.store.repositories[REPO].commits) == 3


def test_a_commit_of_somebody_else_in_between_is_not_undone(world: World) -> None:
    """Who comes second looks again, so that a card is never put back to what it was."""
    world.push(world.models("Q8_0"))
    models = world.models("F16")

    card = world.files()["README.md"].decode() + "\nWritten by somebody else.\n"
    world.hub.faults.add(COMMIT, Status(412, message="A commit has happened since"))
    original = world.hub.faults.take

    def take(line: str) -> Fault | None:
        found = original(line)
        if isinstance(found, Status) and found.code == 412:
            world.hub.store.commit(REPO, {"README.md": card.encode()})
        return found

    world.hub.faults.take = take  # type: ignore[method-assign]
    world.push(models)
    assert "Written by somebody else." in world.files()["README.md"].decode()
    assert "tiny-F16.gguf" in world.files()


FAULTS: dict[str, list[Fault]] = {
        r"GET /api/models/[^ ]+$": [Status(429, {"Retry-After": "0"}), Status(503), Reset(), Truncate(9), Drop(20), Hang(-1, 5)],
        r"POST /api/repos/create": [Status(500), Reset(), LostReply(), Hang(-1, 5)],
        r"/preupload/": [Status(429, {"RateLimit": '"api";r=0;t=0'}), Status(502), Reset(), LostReply(), Hang(-1, 5)],
        r"/objects/batch": [Status(504), Status(429), Reset(), LostReply(), Truncate(5), ExpiredUrl(), Hang(-1, 5)],
        r"cdn PUT /(part|upload)/": [
            Status(500), Status(503), Reset(), LostReply(), CutUpload(1000), SpoilUpload(77), ExpiredUrl(), Hang(-1, 5),
        ],
        r"/api/complete_multipart": [Status(500), Reset(), LostReply(), Hang(-1, 5)],
        r"/info/lfs/verify": [Status(500), Reset(), LostReply(), Hang(-1, 5)],
        r"/validate-yaml": [Status(500), Status(429), Reset(), LostReply(), Hang(-1, 5)],
        r"/commit/": [Status(429, {"Retry-After": "0"}), Status(500), Status(503), Reset(), LostReply(), Drop(3), Hang(-1, 5)],
        r"GET /[^ ]*README.md": [Status(500), WrongBytes(3), Truncate(4), Reset(), Drop(5), Status(429)],
        r"HEAD /[^ ]*README.md": [Status(500), Status(429), Reset()],
    }  # fmt: skip
ONE_BY_ONE = [(pattern, fault) for pattern, faults in FAULTS.items() for fault in faults]


@pytest.mark.parametrize(("pattern", "fault"), ONE_BY_ONE, ids=[f"{p}-{f}" for p, f in ONE_BY_ONE])
def test_each_fault_alone_is_overcome(pattern: str, fault: Fault, world: World) -> None:
    if "README" in pattern:
        world.push(world.models("Q6_K"))
    models = world.models()
    world.hub.faults.add(pattern, fault, count=2)
    world.push(models)
    assert world.hub.faults.hit, "the fault never struck"
    assert world.complete(models, world.files())
    if "README" in pattern:
        assert "tiny-Q6_K.gguf" in world.files()["README.md"].decode()


@pytest.mark.parametrize(
    ("pattern", "fault", "message"),
    [
        (r"GET /api/models/", Status(503), "the Hub fails"),
        (r"/commit/", Status(500), "the Hub fails"),
        (r"/commit/", Status(403), "refuses"),
        (r"/commit/", Reset(), "breaks again and again"),
        (r"cdn PUT", Status(500), "the Hub fails"),
        (r"cdn PUT", ExpiredUrl(), "breaks again and again"),
        (r"cdn PUT", SpoilUpload(3), "breaks again and again"),
        (r"/objects/batch", expired_token(), "does not accept the token"),
        (
            r"/preupload/",
            Status(401, message="Invalid credentials in Authorization header"),
            "does not accept the token",
        ),
        (r"/validate-yaml", Status(400, message="bad card"), "does not answer as the Hub does"),
    ],
)
def test_what_cannot_be_overcome_leaves_the_repository_untouched(
    pattern: str, fault: Fault, message: str, world: World
) -> None:
    world.limit = 0.3
    models = world.models()
    world.hub.faults.add(pattern, fault, count=10_000)
    with pytest.raises(GgufpressError, match=message) as caught:
        world.push(models)
    assert caught.value.hint
    assert TOKEN not in str(caught.value) + str(caught.value.hint)
    assert not world.complete(models, world.files())


def test_a_file_that_changes_on_its_way_is_not_published(world: World) -> None:
    models = world.models("Q8_0")
    path = models[0].files[0]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(GgufError, match="changed since"):
        publish_with(world, "0" * 64)
    assert not world.complete(world.models("Q8_0"), world.files())


def publish_with(world: World, digest: str) -> None:
    (model,) = world.models("Q8_0")
    about = About(source_facts(model.stored.metadata, "tiny"), model.stored.metadata)
    with Publication(world.session(), Target(REPO), about, ["Q8_0"]) as publication:
        publication.add(model, [digest])
        publication.commit()


@pytest.mark.parametrize(
    ("target", "token", "error", "message"),
    [
        ({"repo": "no-slash"}, TOKEN, UsageError, "no name of a repository"),
        ({"repo": "a/b--c"}, TOKEN, UsageError, "no name of a repository"),
        ({"create_pr": True, "branch": "v2"}, TOKEN, UsageError, "exclude each other"),
        ({"create_pr": True}, TOKEN, RepositoryError, "not on the Hub"),
        ({"repo": "strangers/m"}, TOKEN, HubError, "cannot be made"),
        ({}, "hf_eveReadsOnly", HubError, "cannot be made"),
        ({}, "hf_nobodys", HubError, "does not accept the token"),
    ],
)
def test_targets_that_cannot_be_written_are_refused_before_anything_is_sent(
    target: dict[str, object], token: str, error: type[GgufpressError], message: str, world: World
) -> None:
    with pytest.raises(error, match=message) as caught:
        world.push(world.models(), token=token, **target)  # type: ignore[arg-type]
    assert caught.value.hint
    assert token not in f"{caught.value} {caught.value.hint}"
    assert puts(world) == []


@pytest.mark.parametrize(("private", "asked", "word"), [(True, False, "--public"), (False, True, "--private")])
def test_who_sees_a_repository_is_never_changed(private: bool, asked: bool, word: str, world: World) -> None:
    world.hub.store.create(REPO, private=private)
    with pytest.raises(UsageError, match=word):
        world.push(world.models(), private=asked)
    world.push(world.models())
    assert world.hub.store.repositories[REPO].private == private


def test_a_gated_source_is_not_published_for_all_without_consent(world: World) -> None:
    base = world.hub.store.create("org/base", gated="auto")
    base.card = {"license": "other", "license_name": "llama3", "license_link": "https://e.x/l"}
    about = {"source": Source("tiny", "org/base", license="mit")}
    with pytest.raises(UsageError, match=r"org/base is gated \(licence: llama3, https://e.x/l\)") as caught:
        world.push(world.models(), about=dict(about))
    assert "--yes-i-may" in str(caught.value.hint)
    assert REPO not in world.hub.store.repositories
    world.push(world.models(), about=dict(about), private=True)
    world.push(world.models(), about={**about, "consent": True}, repo="ann/open-GGUF")
    card = world.files(repo="ann/open-GGUF")["README.md"].decode()
    assert "base_model: org/base" in card
    assert "license: other\nlicense_name: llama3\nlicense_link: https://e.x/l\n" in card
    assert world.hub.store.repositories["org/base"].refs["main"] in card


def test_a_base_model_that_nobody_may_see_says_nothing(world: World) -> None:
    world.push(world.models(), about={"source": Source("tiny", "org/secret")})
    assert "base_model: org/secret" in world.files()["README.md"].decode()


def test_a_repository_without_a_commit_is_empty(world: World) -> None:
    missing = Status(404, error_code="RevisionNotFound")
    world.hub.faults.add(rf"GET /api/models/{REPO}$", missing, first=2, count=2)
    models = world.models()
    world.push(models)
    assert world.complete(models, world.files())


def test_a_card_that_cannot_be_updated_is_known_before_the_work(world: World) -> None:
    world.hub.store.create(REPO)
    world.hub.store.commit(REPO, {"README.md": b"---\n: [\n---\n"})
    with pytest.raises(OutputError, match="not YAML"):
        world.push(world.models())
    assert puts(world) == []
    world.push(world.models(), about={"card": False})
    assert world.files()["README.md"] == b"---\n: [\n---\n"


def test_no_token_is_in_any_file(world: World) -> None:
    world.push(world.models())
    assert not any(TOKEN.encode() in content for content in world.files().values())
    assert not [one for one in world.hub.log if one.line.startswith("cdn") and one.token]
