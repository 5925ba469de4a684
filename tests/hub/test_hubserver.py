"""The test Hub answers the real library's calls as the library expects them."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.hubserver import faults
from tests.hubserver.server import HubServer
from tests.hubserver.store import git_oid

SMALL = b'{"architectures": []}'
LARGE = bytes(range(256)) * 1000


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(page=2) as server:
        server.store.add_user("ann", "hf_ann", orgs=("org",))
        server.store.add_user("bob", "hf_bob")
        for name, private, gated in (("open", False, False), ("closed", True, False), ("gated", False, "manual")):
            server.store.create(f"org/{name}", private=private, gated=gated)
            server.store.commit(
                f"org/{name}", {"config.json": SMALL, "model.safetensors": LARGE, "sub/deep/notes.txt": b"notes"}
            )
        yield server


@pytest.fixture
def api(hub: HubServer) -> Any:
    from huggingface_hub import HfApi

    return lambda token: HfApi(endpoint=hub.endpoint, token=token)


def test_model_info_has_sizes_and_hashes(api: Any) -> None:
    info = api(False).model_info("org/open", files_metadata=True)
    assert len(info.sha) == 40
    files = {file.rfilename: file for file in info.siblings}
    assert files["config.json"].blob_id == git_oid(SMALL)
    assert files["config.json"].lfs is None
    assert files["model.safetensors"].lfs.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert files["model.safetensors"].size == len(LARGE)


def test_trees_come_in_pages(api: Any, hub: HubServer) -> None:
    found = {entry.path for entry in api(False).list_repo_tree("org/open", recursive=True)}
    assert found == {"config.json", "model.safetensors", "sub", "sub/deep", "sub/deep/notes.txt"}
    assert len(hub.requests("/tree/")) == 3
    assert [entry.path for entry in api(False).list_repo_tree("org/open", "sub/deep")] == ["sub/deep/notes.txt"]


def test_paths_info_leaves_out_what_is_missing(api: Any) -> None:
    found = api(False).get_paths_info("org/open", ["config.json", "sub", "nothing"])
    assert [entry.path for entry in found] == ["config.json", "sub"]


def test_files_arrive_whole_and_the_token_stays_on_the_hub(api: Any, hub: HubServer, tmp_path: Path) -> None:
    for name, data in (("config.json", SMALL), ("model.safetensors", LARGE), ("sub/deep/notes.txt", b"notes")):
        path = api("hf_ann").hf_hub_download("org/closed", name, cache_dir=tmp_path)
        assert Path(path).read_bytes() == data
    assert all(one.token is None for one in hub.requests("cdn "))
    assert all(one.token == "Bearer hf_ann" for one in hub.requests("hub "))


def test_who_may_see_what(api: Any, tmp_path: Path) -> None:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    for token, repo, status in ((False, "org/closed", 401), ("hf_bob", "org/closed", 404), (False, "org/none", 401)):
        with pytest.raises(RepositoryNotFoundError) as caught:
            api(token).model_info(repo)
        assert caught.value.response.status_code == status
    assert api(False).model_info("org/gated").gated == "manual"
    for token, status in ((False, 401), ("hf_bob", 403)):
        with pytest.raises(GatedRepoError) as gated:
            api(token).hf_hub_download("org/gated", "config.json", cache_dir=tmp_path)
        assert gated.value.response.status_code == status
    with pytest.raises(RevisionNotFoundError):
        api(False).model_info("org/open", revision="nowhere")
    assert api("hf_ann").whoami()["name"] == "ann"


def test_ranges_and_faults_of_files(hub: HubServer, api: Any) -> None:
    sha256 = hashlib.sha256(LARGE).hexdigest()
    url = urlsplit(hub.site.sign(f"/repos/org/open/{sha256}"))

    def get(asked: str | None = "bytes=10-19") -> tuple[int, str | None, bytes]:
        with closing(http.client.HTTPConnection(url.hostname or "", url.port or 0, timeout=10)) as connection:
            connection.request("GET", f"{url.path}?{url.query}", headers={"Range": asked} if asked else {})
            with connection.getresponse() as response:
                return response.status, response.getheader("content-range"), response.read()

    assert get() == (206, f"bytes 10-19/{len(LARGE)}", LARGE[10:20])
    assert get("bytes=-5")[2] == LARGE[-5:]
    assert get("bytes=999999-")[0] == 416
    assert get(None) == (200, None, LARGE)
    hub.faults.add("cdn GET", faults.IgnoreRange())
    assert get()[0] == 200
    hub.faults.add("cdn GET", faults.WrongRange(4))
    assert get() == (206, f"bytes 6-19/{len(LARGE)}", LARGE[6:20])
    hub.faults.clear()
    hub.faults.add("cdn GET", faults.WrongBytes(3))
    assert get()[2] == LARGE[10:13] + bytes([LARGE[13] ^ 255]) + LARGE[14:20]
    hub.faults.clear()
    hub.faults.add("cdn GET", faults.Truncate(4))
    assert get()[2] == LARGE[10:16]
    hub.faults.clear()
    hub.faults.add("cdn GET", faults.Drop(4))
    with pytest.raises(http.client.IncompleteRead):
        get()
    hub.faults.clear()
    hub.faults.add("cdn GET", faults.Reset())
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        get()
    hub.faults.clear()
    hub.faults.add("cdn GET", faults.ExpiredUrl())
    assert get()[0] == 403
    assert get()[0] == 206


def test_a_storm_is_the_same_each_time() -> None:
    def storm() -> list[faults.Fault | None]:
        made = faults.Faults()
        made.storm("GET", 7, 0.5, [faults.Drop(1), faults.Status(503)])
        return [made.take(line) for line in ["hub GET /a", "hub GET /b"] * 20]

    first = storm()
    assert first == storm()
    assert {type(fault) for fault in first} == {type(None), faults.Drop, faults.Status}
