from __future__ import annotations

import random
from pathlib import Path

import pytest

from ggufpress.errors import CheckpointError, HubError, OutputError, SpaceError
from ggufpress.hub import download as module
from ggufpress.hub.address import HubAddress
from ggufpress.hub.repository import pinned
from ggufpress.hub.source import HubFile, HubHost
from tests.hub.conftest import Connect
from tests.hubserver.faults import Drop, Reset, Status, WrongBytes
from tests.hubserver.server import HubServer

NAME = "model.safetensors"
DATA = random.Random(5).randbytes(500_000)


@pytest.fixture(autouse=True)
def model(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 50_000)
    monkeypatch.setattr(module, "AHEAD", 60_000)
    hub.store.create("org/model")
    hub.store.commit("org/model", {NAME: DATA, "config.json": b"{}", "pytorch_model.bin": DATA})


def bring(connect: Connect, limit: float = 2.0) -> list[int]:
    host = HubHost(pinned(connect(limit=limit), HubAddress("org/model")))
    told: list[int] = []
    host.bring([HubFile(host, NAME)], told.append)
    assert HubFile(host, NAME).is_here
    return told


def parts(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("*.ggufpress-part"))


def test_a_file_comes_to_the_librarys_cache(hub: HubServer, connect: Connect, tmp_path: Path) -> None:
    from huggingface_hub import try_to_load_from_cache

    assert sum(bring(connect)) == len(DATA)
    commit = hub.store.repositories["org/model"].refs["main"]
    path = try_to_load_from_cache("org/model", NAME, cache_dir=tmp_path / "cache", revision=commit)
    assert isinstance(path, str)
    assert Path(path).read_bytes() == DATA
    assert parts(tmp_path) == []
    assert not list((tmp_path / "cache").rglob("*.bin"))
    hub.log.clear()
    bring(connect)
    assert hub.requests("cdn") == []


def test_what_broke_off_is_continued_by_the_next_run(hub: HubServer, connect: Connect, tmp_path: Path) -> None:
    hub.faults.add("cdn GET", Status(503), first=4, count=1000)
    with pytest.raises(HubError):
        bring(connect, limit=0.05)
    (part,) = parts(tmp_path)
    had = part.stat().st_size
    assert 0 < had < len(DATA)
    hub.faults.clear()
    hub.log.clear()
    told = bring(connect)
    assert told[0] == had
    assert sum(one.sent for one in hub.requests("cdn")) == len(DATA) - had


def test_faults_on_the_way_do_not_matter(hub: HubServer, connect: Connect) -> None:
    hub.faults.storm("cdn GET", 3, 0.5, [Drop(3000), Reset(), Reset(9000), Status(500)], limit=30)
    bring(connect)
    assert hub.faults.hit


def test_wrong_bytes_do_not_stay(hub: HubServer, connect: Connect, tmp_path: Path) -> None:
    hub.faults.add("cdn GET", WrongBytes(), first=2)
    with pytest.raises(CheckpointError, match="not the file that the Hub lists"):
        bring(connect)
    assert parts(tmp_path) == []
    bring(connect)


def test_a_broken_beginning_is_found_at_the_end(connect: Connect, tmp_path: Path) -> None:
    import hashlib

    blobs = tmp_path / "cache" / "models--org--model" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{hashlib.sha256(DATA).hexdigest()}.ggufpress-part").write_bytes(b"?" * 1000)
    with pytest.raises(CheckpointError):
        bring(connect)
    bring(connect)


def test_a_disk_that_is_too_small_is_said_before(
    hub: HubServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(SpaceError, match="1,000 bytes free") as caught:
        bring(connect)
    assert "--download" in (caught.value.hint or "")
    assert hub.requests("cdn") == []


def test_a_cache_that_cannot_be_written_is_said(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="cannot be made"):
        bring(connect)
