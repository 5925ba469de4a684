from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ggufpress.errors import CheckpointError, GgufpressError, HubError, RepositoryError, UnsupportedError
from ggufpress.hub.address import HubAddress
from ggufpress.hub.repository import pinned
from ggufpress.hub.source import HubFile, open_on_hub
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.folder import open_checkpoint
from tests.hub.conftest import Connect
from tests.hubserver.faults import Drop, Fault, Reset, Status, Truncate, WrongBytes, expired_token
from tests.hubserver.server import HubServer
from tests.hubserver.store import add_folder
from tests.tiny_checkpoints import BY_NAME, make

MODEL = HubAddress("org/tiny-model")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make(BY_NAME["Tiny-Llama-4M-Chat-v0.2"], tmp_path)
    return Path(shutil.move(made, tmp_path / "tiny-model"))


@pytest.fixture
def on_hub(hub: HubServer, folder: Path) -> Path:
    add_folder(hub.store, "org/tiny-model", folder)
    return folder


def opened(connect: Connect, token: str | None = None, address: HubAddress = MODEL, **options: Any) -> Checkpoint:
    return open_on_hub(connect(token, **options), address)


def test_it_is_the_folder(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    local, remote = open_checkpoint(on_hub), opened(connect)
    assert remote.name == local.name == "tiny-model"
    assert remote.config == local.config
    assert list(remote.tensors) == list(local.tensors)
    for ref in local.tensors.values():
        other = remote.tensors[ref.name]
        assert (other.dtype, other.shape, other.offset, other.nbytes) == (ref.dtype, ref.shape, ref.offset, ref.nbytes)
        assert isinstance(other.file, HubFile)
        assert str(other.file) == f"org/tiny-model/{other.file.name}"
    assert sorted(remote.small.names()) == sorted(local.small.names())
    assert remote.provenance["commit"] == hub.store.repositories["org/tiny-model"].refs["main"]
    # nothing of the weights
    assert sum(one.sent for one in hub.requests("cdn GET") if one.range) <= 2 * (128 << 10)


def test_a_revision_stays_what_it_was(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    first = hub.store.repositories["org/tiny-model"].refs["main"]
    hub.store.repositories["org/tiny-model"].tags["v1"] = first
    hub.store.commit("org/tiny-model", {"config.json": b"{}"})
    for revision in ("v1", first):
        found = opened(connect, address=HubAddress("org/tiny-model", revision))
        assert (found.provenance["commit"], found.provenance["revision"]) == (first, revision)
        assert found.config
    assert opened(connect).config == {}


def test_small_files_come_once_and_from_the_cache_after_that(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    opened(connect)
    assert len(hub.requests("GET /api/resolve-cache")) >= 3
    hub.log.clear()
    checkpoint = opened(connect)
    assert checkpoint.read_text("tokenizer_config.json") == (on_hub / "tokenizer_config.json").read_text()
    assert hub.requests("GET /api/resolve-cache") == []


def test_a_small_file_that_is_not_right_comes_again(
    hub: HubServer, connect: Connect, on_hub: Path, tmp_path: Path
) -> None:
    hub.faults.add("cdn GET .*", WrongBytes(3))
    opened(connect)
    config = next((tmp_path / "cache").rglob("snapshots/*/config.json"))
    config.resolve().write_bytes(b"[" + config.read_bytes()[1:])
    assert opened(connect).config == open_checkpoint(on_hub).config
    hub.store.spoil("org/tiny-model", "config.json", b"[" + (on_hub / "config.json").read_bytes()[1:])
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(CheckpointError, match="not the file that the Hub lists"):
        opened(connect)


ONCE: tuple[Fault, ...] = (Status(503), Status(429, {"Retry-After": "0"}), Reset(), Drop(0), Status(500))


@pytest.mark.parametrize("fault", ONCE, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("line", ["/api/models/", "cdn GET"])
def test_one_failure_is_no_matter(line: str, fault: Fault, hub: HubServer, connect: Connect, on_hub: Path) -> None:
    hub.faults.add(line, fault)
    assert opened(connect, limit=3.0).tensors
    assert hub.faults.hit == 1


def test_a_header_that_is_longer_than_what_is_read_first(
    hub: HubServer, connect: Connect, on_hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ggufpress.hub.source.FIRST", 100)
    assert list(opened(connect).tensors) == list(open_checkpoint(on_hub).tensors)


REFUSED: dict[str, tuple[str | None, str, type[GgufpressError], str, str]] = {
    "private, nobody": (None, "org/private", RepositoryError, "not on the Hub, or it is private", "ggufpress login"),
    "private, a stranger": ("hf_bobstoken", "org/private", RepositoryError, "your token does not let you", "token"),
    "missing": ("hf_annstoken", "org/nothing", RepositoryError, "not on the Hub", "check the name"),
    "gated, nobody": (None, "org/gated", RepositoryError, "gated", "ask for access at {hub}/org/gated; then ggufpress login"),
    "gated, a stranger": ("hf_bobstoken", "org/gated", RepositoryError, "gated", "ask for access at {hub}/org/gated"),
    "nearly right": (None, "org/Tiny-modle", RepositoryError, "not on the Hub", "did you mean org/tiny-model?"),
    "no such token": ("hf_wrongtoken", "org/tiny-model", HubError, "does not accept the token", "ggufpress login"),
    "no name": (None, "org/a--b", RepositoryError, "no name of a model", "ORG/NAME"),
}  # fmt: skip


@pytest.mark.parametrize("hides_gated", [False, True])
@pytest.mark.parametrize("what", REFUSED)
def test_refusals(what: str, hides_gated: bool, hub: HubServer, connect: Connect, on_hub: Path) -> None:
    if hides_gated:
        object.__setattr__(hub.site, "hides_gated", True)
    for name in ("private", "gated"):
        hub.store.create(f"org/{name}", private=name == "private", gated="manual" if name == "gated" else False)
        hub.store.commit(f"org/{name}", {path.name: path.read_bytes() for path in on_hub.iterdir()})
    token, repo, kind, message, hint = REFUSED[what]
    with pytest.raises(kind, match=message) as caught:
        opened(connect, token, HubAddress(repo))
    assert hint.format(hub=hub.endpoint) in (caught.value.hint or "")
    assert "hf_" not in f"{caught.value}{caught.value.hint}"


def test_access_that_was_given(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    repository = hub.store.repositories["org/tiny-model"]
    repository.gated = "auto"
    repository.granted.add("bob")
    assert opened(connect, "hf_bobstoken").tensors
    hub.faults.add("hub", expired_token(), count=100)
    with pytest.raises(HubError, match="does not accept the token"):
        opened(connect, "hf_bobstoken")


def test_a_401_without_a_reason_is_no_certainty(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    hub.faults.add("/api/models/", Status(401, {}, "Invalid username or password."), count=10)
    with pytest.raises(RepositoryError, match="not on the Hub, or it is private"):
        opened(connect)


def test_a_revision_that_does_not_exist(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    hub.store.repositories["org/tiny-model"].tags["v1.0"] = hub.store.repositories["org/tiny-model"].refs["main"]
    with pytest.raises(RepositoryError, match=r"no revision .v1\.1.") as caught:
        opened(connect, address=HubAddress("org/tiny-model", "v1.1"))
    assert "did you mean v1.0?" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"model.gguf": b"GGUF"}, "holds GGUF files", "hf download org/other model.gguf"),
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, "a pickle", "convert it to safetensors"),
        ({"README.md": b"x"}, r"config\.json is missing", "checkpoint"),
        ({"config.json": b"{}"}, "no model", "weights"),
    ],
)
def test_repositories_that_are_no_checkpoints(
    files: dict[str, bytes], message: str, hint: str, hub: HubServer, connect: Connect
) -> None:
    hub.store.create("org/other")
    hub.store.commit("org/other", dict(files))
    with pytest.raises(GgufpressError, match=message) as caught:
        opened(connect, address=HubAddress("org/other"))
    assert hint in (caught.value.hint or "")


def test_one_file_of_a_repository(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    for file in ("sub", "x.gguf"):
        with pytest.raises(UnsupportedError) as caught:
            opened(connect, address=HubAddress("org/tiny-model", None, file))
        assert "hf download org/tiny-model" in (caught.value.hint or "")


def test_a_hub_that_states_no_sizes_is_asked_for_its_tree(hub: HubServer, connect: Connect, on_hub: Path) -> None:
    info = {"id": "org/tiny-model", "sha": hub.store.repositories["org/tiny-model"].refs["main"],
            "siblings": [{"rfilename": "config.json"}]}  # fmt: skip
    hub.faults.add(
        "GET /api/models/org/tiny-model$", Status(200, {"content-type": "application/json"}, body=json.dumps(info))
    )
    found = pinned(connect(), MODEL)
    assert found.entries["model.safetensors"].sha256
    assert len(hub.requests("/tree/")) == 1


def test_shards_are_read_several_at_a_time(hub: HubServer, connect: Connect, tmp_path: Path) -> None:
    folder = make(replace(BY_NAME["Tiny-Llama-4M-Chat-v0.2"], shards=5), tmp_path)
    add_folder(hub.store, "org/shards", folder)
    hub.faults.add("cdn GET", Truncate(50), first=2)
    found = opened(connect, address=HubAddress("org/shards"))
    assert list(found.tensors) == list(open_checkpoint(folder).tensors)
