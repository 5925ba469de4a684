from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ggufpress.errors import CheckpointError, HubError
from ggufpress.hub import hashing
from ggufpress.hub import reading as module
from ggufpress.hub.address import HubAddress
from ggufpress.hub.prefetch import Wanted, whole_blocks
from ggufpress.hub.reading import HubReading
from ggufpress.hub.repository import Repository, pinned
from ggufpress.hub.source import HubFile, HubHost
from ggufpress.source.remote import FileRead
from tests.hub.conftest import Connect
from tests.hubserver.faults import (
    Drop,
    ExpiredUrl,
    Fault,
    IgnoreRange,
    Reset,
    Slow,
    Status,
    Truncate,
    WrongBytes,
    WrongRange,
)
from tests.hubserver.server import HubServer

DATA = {f"model-{number}.safetensors": random.Random(number).randbytes(300_000 + number) for number in range(2)}
STORM: tuple[Fault, ...] = (
    Drop(0), Drop(5000), Reset(), Reset(7000), Truncate(100), IgnoreRange(), WrongRange(7), Status(500), Status(503),
    Status(429, {"Retry-After": "0"}), ExpiredUrl(), Slow(10_000_000),
)  # fmt: skip
Place = tuple[str, int, int]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (hashing, module):
        monkeypatch.setattr(place, "BLOCK", 1000)
    monkeypatch.setattr(module, "whole_blocks", partial(whole_blocks, block=1000))


@pytest.fixture
def repository(hub: HubServer, connect: Connect) -> Repository:
    hub.store.create("org/model")
    hub.store.commit("org/model", dict(DATA))
    return pinned(connect(limit=5.0), HubAddress("org/model"))


def places(step: int = 10_000) -> list[Place]:
    return [
        (name, start, min(step, len(data) - start))
        for name, data in DATA.items()
        for start in range(0, len(data), step)
    ]


def read(repository: Repository, wanted: list[Place], threads: int = 3, budget: int = 60_000) -> tuple[FileRead, ...]:
    """Read all places in order, as the pipeline does, and compare them."""
    host = HubHost(repository)
    with closing(HubReading(repository, host.entries, {}, {}, Wanted(budget, 30_000, 1000))) as reading:
        ahead = iter(wanted)
        lock = threading.Lock()

        def advise(count: int) -> None:
            for place in [place for _, place in zip(range(count), ahead, strict=False)]:
                reading.advise(HubFile(host, place[0]), *place[1:])

        def one(place: Place) -> bool:
            name, start, nbytes = place
            buffer = bytearray(nbytes)
            reading.read_into(HubFile(host, name), start, memoryview(buffer), "bytes")
            with lock:
                advise(1)
            return bytes(buffer) == DATA[name][start : start + nbytes]

        advise(8)
        with ThreadPoolExecutor(threads) as executor:
            assert all(executor.map(one, wanted))
        return reading.finish()


def test_everything_arrives_and_is_checked(hub: HubServer, repository: Repository) -> None:
    found = read(repository, places())
    assert [(file.name, file.nbytes, file.checked) for file in found] == [(n, len(d), True) for n, d in DATA.items()]
    assert sum(one.sent for one in hub.requests("cdn GET")) == sum(map(len, DATA.values()))
    # grouped: a request for more than one read
    assert len(hub.requests("cdn GET")) < len(places())


def test_memory_is_bounded_whatever_is_advised(
    hub: HubServer, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    next_range = Wanted.next_range

    def watched(self: Wanted) -> object:
        found = next_range(self)
        held.append(self.held)
        return found

    monkeypatch.setattr(Wanted, "next_range", watched)
    read(repository, places(), budget=50_000)
    # somebody who waits already is served beyond the budget
    assert max(held) <= 50_000 + 3 * 30_000


def test_what_no_tensor_needs_is_fetched_for_the_hash_where_it_is_little(
    hub: HubServer, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [place for place in places() if not 100_000 <= place[1] < 200_000]
    assert all(file.checked for file in read(repository, some))
    monkeypatch.setattr(module, "EXTRA", 1000)
    assert not any(file.checked for file in read(repository, some))


def test_another_order_than_the_files_own_is_checked_within_a_window(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    backwards = places()[::-1]
    assert all(file.checked for file in read(repository, backwards))
    monkeypatch.setattr(module, "WINDOW", 50_000)
    monkeypatch.setattr(module, "EXTRA", 1000)
    assert not any(file.checked for file in read(repository, backwards))


def test_what_was_not_advised_is_read_all_the_same(repository: Repository) -> None:
    host = HubHost(repository)
    with closing(host.reading()) as reading:
        buffer = bytearray(100)
        reading.read_into(HubFile(host, "model-0.safetensors"), 5, memoryview(buffer), "bytes")
        assert bytes(buffer) == DATA["model-0.safetensors"][5:105]
        assert [(file.name, file.checked) for file in reading.finish()] == [("model-0.safetensors", True)]


@pytest.mark.parametrize(("nbytes", "advised"), [(100, False), (5000, False), (5000, True)])
def test_bytes_that_are_read_twice_are_the_same_both_times(
    nbytes: int, advised: bool, hub: HubServer, repository: Repository
) -> None:
    # the hash sees the second answer alone, or the first: what is used may be the other one
    hub.faults.add("cdn GET", WrongBytes(200), first=1 if not advised else 2)
    host = HubHost(repository)
    file = HubFile(host, "model-0.safetensors")

    def read_twice() -> None:
        with closing(HubReading(repository, host.entries, {}, {}, Wanted(1 << 20, 1000, 1000))) as reading:
            for _ in range(2):
                if advised:
                    reading.advise(file, 0, nbytes)
                reading.read_into(file, 0, memoryview(bytearray(nbytes)), "bytes")
            reading.advise(file, 0, 300_000)
            reading.read_into(file, 0, memoryview(bytearray(300_000)), "bytes")
            reading.finish()

    with pytest.raises(CheckpointError, match="not the file that the Hub lists: its bytes from 0 on differ"):
        read_twice()
    read_twice()


@pytest.mark.parametrize("request_number", [1, 3])
def test_one_wrong_byte_on_the_way_is_found(request_number: int, hub: HubServer, repository: Repository) -> None:
    hub.faults.add("cdn GET", WrongBytes(17), first=request_number)
    with pytest.raises(CheckpointError, match="not the file that the Hub lists") as caught:
        everything(repository)
    assert "run it again" in (caught.value.hint or "")
    everything(repository)


def test_a_file_that_the_hub_lost_a_byte_of_is_found(hub: HubServer, repository: Repository) -> None:
    data = DATA["model-1.safetensors"]
    hub.store.spoil("org/model", "model-1.safetensors", data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=r"model-1\.safetensors is not the file"):
        everything(repository)


def everything(repository: Repository) -> None:
    """Read all that there is, without a look at it."""
    host = HubHost(repository)
    with closing(HubReading(repository, host.entries, {}, {}, Wanted(1 << 20, 100_000, 1000))) as reading:
        for name, *place in places():
            reading.advise(HubFile(host, name), *place)
        for name, start, nbytes in places():
            reading.read_into(HubFile(host, name), start, memoryview(bytearray(nbytes)), "bytes")
        reading.finish()


def test_a_failure_reaches_whoever_waits(hub: HubServer, connect: Connect) -> None:
    hub.store.create("org/model")
    hub.store.commit("org/model", dict(DATA))
    repository = pinned(connect(limit=0.1), HubAddress("org/model"))
    hub.faults.add("cdn GET", Status(503), count=1000)
    with pytest.raises(HubError, match="status 503"):
        read(repository, places())


def test_closing_does_not_wait_for_what_is_on_its_way(hub: HubServer, repository: Repository) -> None:
    hub.faults.add("cdn GET", Slow(1000), count=1000)
    host = HubHost(repository)
    reading = host.reading()
    for place in places():
        reading.advise(HubFile(host, place[0]), *place[1:])
    started = time.monotonic()
    reading.close()
    reading.close()
    assert time.monotonic() - started < 2


def test_files_in_the_cache_are_read_from_there_and_checked(
    hub: HubServer, connect: Connect, repository: Repository, tmp_path: Path
) -> None:
    host = HubHost(repository)
    host.bring([HubFile(host, name) for name in DATA], lambda _: None)
    assert all(HubFile(host, name).is_here for name in DATA)
    hub.log.clear()
    again = pinned(connect(), HubAddress("org/model"))
    assert all(file.checked for file in read(again, places()))
    assert hub.requests("cdn") == []
    blob = next(path for path in (tmp_path / "cache").rglob("blobs/*") if path.stat().st_size == 300_000)
    blob.write_bytes(b"?" * 300_000)
    with pytest.raises(CheckpointError, match="sha256 is another") as caught:
        everything(again)
    assert "rm " in (caught.value.hint or "")


ROUNDS = [*range(20), *(pytest.param(number, marks=pytest.mark.full) for number in range(20, 200))]


@pytest.mark.parametrize("seed", ROUNDS)
def test_a_storm_changes_nothing(seed: int, hub: HubServer, repository: Repository) -> None:
    hub.faults.storm("(cdn GET|hub HEAD)", seed, 0.4, STORM, limit=60)
    chance = random.Random(seed)
    wanted = places(chance.choice([5000, 20_000]))
    if chance.random() < 0.3:
        chance.shuffle(wanted)
    assert all(
        file.checked for file in read(repository, wanted, chance.randint(1, 4), chance.choice([20_000, 200_000]))
    )
    assert hub.faults.hit


@pytest.mark.parametrize("seed", range(24))
def test_no_wrong_byte_passes_for_checked_in_any_order(
    seed: int, hub: HubServer, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(module, "WINDOW", 40_000)
    hub.faults.add("cdn GET", WrongBytes(chance.randrange(20_000)), first=chance.randint(1, 30))
    wanted = places(20_000)
    # near the files' own order, and some parts twice
    wanted = sorted(
        [*wanted, *chance.sample(wanted, 3)], key=lambda place: (place[0], place[1] + chance.randrange(90_000))
    )
    host = HubHost(repository)
    wrong = set()
    with closing(HubReading(repository, host.entries, {}, {}, Wanted(200_000, 30_000, 1000))) as reading:
        for name, *place in wanted:
            reading.advise(HubFile(host, name), *place)
        try:
            for name, start, nbytes in wanted:
                buffer = bytearray(nbytes)
                reading.read_into(HubFile(host, name), start, memoryview(buffer), "bytes")
                if bytes(buffer) != DATA[name][start : start + nbytes]:
                    wrong.add(name)
            checked = {file.name for file in reading.finish() if file.checked}
        except CheckpointError:
            return
    assert not wrong & checked
    assert checked
