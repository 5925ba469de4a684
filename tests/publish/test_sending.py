from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from ggufpress.errors import GgufError
from ggufpress.hub.session import Cancelled
from ggufpress.publish.sending import FileOnItsWay, Sender, Sending, Upload, takes_xet
from tests.hubserver.faults import Hang, Status
from tests.hubserver.messages import Request, Response, Site, route
from tests.hubserver.server import HubServer
from tests.publish.conftest import REPO, TOKEN, World


def token(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    headers = {
        "X-Xet-Cas-Url": "http://127.0.0.1:9", "X-Xet-Access-Token": "t", "X-Xet-Token-Expiration": "9999999999",
    }  # fmt: skip
    return Response(200, headers, b"{}")


ROUTES = (route("GET", r"/api/models/{repo}/xet-write-token/{part}", token),)


def test_the_server_says_whether_it_takes_xet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    world.hub.store.create(REPO)
    assert not takes_xet(world.session(), REPO, "main")
    with HubServer(routes=ROUTES) as hub:
        hub.store.add_user("ann", TOKEN)
        session = world.session(endpoint=hub.endpoint)
        assert takes_xet(session, REPO, "main")
        hub.faults.add("xet-write-token", Status(503))
        assert takes_xet(session, REPO, "refs/pr/1")
        assert hub.log[-1].line.endswith("xet-write-token/refs%2Fpr%2F1")
        assert takes_xet(session, REPO, "main", create_pr=True)
        assert (hub.log[-1].line.split("/")[-1], hub.log[-1].query) == ("None", "create_pr=1")
        for code in (401, 403, 404, 500):
            hub.faults.clear()
            hub.faults.add("xet-write-token", Status(code), count=10_000)
            assert not takes_xet(world.session(endpoint=hub.endpoint), REPO, "main")
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        hub.faults.clear()
        assert not takes_xet(session, REPO, "main")


def test_where_xet_fails_a_file_goes_the_older_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is told that Xet is there, and what it does then fails, as behind a firewall."""
    from huggingface_hub import _commit_api

    def fails(**_: object) -> None:
        raise OSError("cannot connect to the store")

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setattr(_commit_api, "_upload_xet_files", fails)
    monkeypatch.setattr("ggufpress.publish.sending.takes_xet", lambda *_, **__: True)
    models = world.models()
    world.push(models)
    assert world.complete(models, world.files())


def upload(folder: Path, content: bytes = b"0123456789") -> Upload:
    path = folder / "a.gguf"
    path.write_bytes(content)
    return Upload("a.gguf", path, len(content), "0" * 64)


def test_a_file_on_its_way_tells_how_far_it_is_and_stops_when_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    stop = threading.Event()
    with FileOnItsWay(upload(tmp_path), lambda *what: told.append(what), stop) as file:
        assert file.read(4) == b"0123"
        assert told == []
        assert file.seek(0, os.SEEK_SET) == 0
        file.sending()
        assert (file.read(4), file.tell(), file.readable(), file.seekable()) == (b"0123", 4, True, True)
        assert file.read(-1) == b"456789"
        assert told == [("a.gguf", 4, 10), ("a.gguf", 10, 10)]
        stop.set()
        with pytest.raises(Cancelled):
            file.read(1)
    with pytest.raises(GgufError, match="cannot be opened"):
        FileOnItsWay(Upload("b", tmp_path / "missing", 1, ""), None, stop)


def test_progress_is_told(world: World) -> None:
    world.hub.store.create(REPO)
    (model,) = world.models("Q8_0")
    told: list[int] = []
    sender = Sender(world.session(), REPO, "main", progress=lambda path, sent, total: told.append(sent))
    from ggufpress.publish.describing import sha256_of

    path = model.files[0]
    sender.send(Upload(model.paths[0], path, path.stat().st_size, sha256_of(path)))
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


def test_the_first_failure_stops_the_others_at_once(world: World) -> None:
    world.hub.store.create(REPO)
    world.limit = 60
    world.hub.faults.add("cdn PUT", Hang(-1, 60), count=1000)
    good = world.models("Q8_0")[0].files[0]
    from ggufpress.publish.describing import sha256_of

    started = time.monotonic()
    with Sending(Sender(world.session(), REPO, "main")) as sending:
        sending.put(Upload("good.gguf", good, good.stat().st_size, sha256_of(good)))
        sending.put(Upload("bad.gguf", world.folder / "missing", 1, "0" * 64))
        with pytest.raises(GgufError, match="missing"):
            sending.wait()
        with pytest.raises(GgufError, match="missing"):
            sending.check()
    assert time.monotonic() - started < 30
