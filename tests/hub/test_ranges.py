from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from ggufpress.errors import CheckpointError, GgufpressError, HubError, RepositoryError
from ggufpress.hub.address import HubAddress
from ggufpress.hub.patience import Patience
from ggufpress.hub.ranges import Location, Ranges
from ggufpress.hub.repository import Repository, pinned
from ggufpress.hub.session import Cancelled
from tests.hub.conftest import Connect
from tests.hubserver.faults import (
    Drop,
    ExpiredUrl,
    Fault,
    Hang,
    IgnoreRange,
    Reset,
    Slow,
    Status,
    Truncate,
    WrongRange,
    expired_token,
)
from tests.hubserver.server import HubServer

DATA = bytes(range(251)) * 2000
NAME = "model.safetensors"


@pytest.fixture
def repository(hub: HubServer, connect: Connect) -> Repository:
    hub.store.create("org/model", private=True)
    hub.store.commit("org/model", {NAME: DATA, "config.json": b"{}" * 400})
    return pinned(connect("hf_annstoken"), HubAddress("org/model"))


def fetched(repository: Repository, start: int = 1000, nbytes: int = 400_000, **options: Any) -> bytes:
    buffer = bytearray(nbytes)
    ranges = Ranges(repository, threading.Event(), {}, **options)
    ranges.fetch(repository.entries[NAME], start, memoryview(buffer))
    return bytes(buffer)


ONE_TIME: dict[str, tuple[str, Fault]] = {
    "dropped": ("cdn GET", Drop(100_000)),
    "dropped at once": ("cdn GET", Drop(0)),
    "reset": ("cdn GET", Reset(200_000)),
    "reset before an answer": ("cdn GET", Reset()),
    "truncated": ("cdn GET", Truncate(1000)),
    "range ignored": ("cdn GET", IgnoreRange()),
    "another range": ("cdn GET", WrongRange(10)),
    "expired": ("cdn GET", ExpiredUrl()),
    "expired already": ("hub HEAD", ExpiredUrl()),
    "slow": ("cdn GET", Slow(4_000_000)),
    "503": ("cdn GET", Status(503)),
    "500 of the Hub": ("hub HEAD", Status(500)),
    "reset by the Hub": ("hub HEAD", Reset()),
    "429": ("cdn GET", Status(429)),
    "429 with 0 s": ("cdn GET", Status(429, {"Retry-After": "0"})),
    "429 of the Hub": ("hub HEAD", Status(429, {"RateLimit": '"resolvers";r=0;t=0'})),
    "429 with a date": ("cdn GET", Status(429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})),
}


@pytest.mark.parametrize("what", ONE_TIME)
def test_what_goes_wrong_once_is_mended(what: str, hub: HubServer, repository: Repository) -> None:
    pattern, fault = ONE_TIME[what]
    hub.faults.add(pattern, fault)
    assert fetched(repository) == DATA[1000:401_000]
    assert hub.faults.hit == 1


def test_a_connection_that_breaks_goes_on_at_the_byte(hub: HubServer, repository: Repository) -> None:
    for number in range(3):
        hub.faults.add("cdn GET", Reset(64 << 10), first=number + 1)
    assert fetched(repository) == DATA[1000:401_000]
    starts = [int((one.range or "").removeprefix("bytes=").split("-")[0]) for one in hub.requests("cdn GET")]
    assert len(starts) == 4
    assert starts == sorted(starts)
    # a reset may take what was on its way, never what had arrived
    sent = sum(one.sent for one in hub.requests("cdn GET"))
    assert sent <= 400_000 + 3 * (64 << 10)


def test_one_that_gives_a_little_each_time_gets_there(hub: HubServer, repository: Repository) -> None:
    hub.faults.add("cdn GET", Drop(20_000), count=1000)
    assert fetched(repository) == DATA[1000:401_000]
    assert len(hub.requests("cdn GET")) == 20


def test_a_hung_server_is_left(hub: HubServer, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    # the library's own limit, which HF_HUB_DOWNLOAD_TIMEOUT sets
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    hub.faults.add("cdn GET", Hang(100_000, 20))
    hub.faults.add("cdn GET", Hang(-1, 20), first=2)
    started = time.monotonic()
    assert fetched(repository) == DATA[1000:401_000]
    assert time.monotonic() - started < 5


def test_the_token_never_leaves_the_hub(hub: HubServer, repository: Repository) -> None:
    fetched(repository)
    assert {one.token for one in hub.requests("cdn ")} == {None}
    assert {one.token for one in hub.requests("hub HEAD")} == {"Bearer hf_annstoken"}


def test_files_that_the_hub_serves_itself_are_asked_for_with_the_token(hub: HubServer, repository: Repository) -> None:
    buffer = bytearray(300)
    Ranges(repository, threading.Event(), {}).fetch(repository.entries["config.json"], 101, memoryview(buffer))
    assert bytes(buffer) == (b"{}" * 400)[101:401]


FOREVER: dict[str, tuple[str, Fault, type[GgufpressError], str]] = {
    "dropped": ("cdn", Drop(0), HubError, "breaks again and again"),
    "503": ("cdn", Status(503), HubError, "status 503"),
    "429": ("cdn", Status(429), HubError, "slow down"),
    "expired": ("cdn", ExpiredUrl(), HubError, "breaks"),
    "ranges ignored": ("cdn", IgnoreRange(), HubError, "whole files instead of ranges"),
    "range gone": ("cdn", Status(416), CheckpointError, "bytes that the Hub lists"),
    "gated now": ("hub", Status(403, {}, "no", "GatedRepo"), RepositoryError, "gated"),
    "token expired": ("hub", expired_token(), HubError, "does not accept the token"),
    "file gone": ("hub", Status(404, {}, "no", "EntryNotFound"), RepositoryError, "has no file"),
}


@pytest.mark.parametrize("what", FOREVER)
def test_what_stays_wrong_is_said(what: str, hub: HubServer, repository: Repository) -> None:
    origin, fault, kind, message = FOREVER[what]
    hub.faults.add(f"{origin} ", fault, count=10_000)
    with pytest.raises(kind, match=message) as caught:
        fetched(repository)
    said = f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
    assert "hf_" not in said
    assert "Signature" not in said
    assert "\n" not in said


def test_waits_as_long_as_it_is_asked_to(hub: HubServer, connect: Connect) -> None:
    hub.store.create("org/model")
    hub.store.commit("org/model", {NAME: DATA})
    session = connect(steady=Patience(0.5, asked=7.0))
    repository = pinned(session, HubAddress("org/model"))
    hub.faults.add("cdn GET", Status(429, {"Retry-After": "1"}))
    started = time.monotonic()
    assert fetched(repository) == DATA[1000:401_000]
    assert time.monotonic() - started >= 1
    hub.faults.clear()
    hub.faults.add("cdn GET", Status(429, {"Retry-After": "30"}))
    with pytest.raises(HubError, match="slow down"):
        fetched(repository)


def test_stopping_ends_the_waiting(hub: HubServer, repository: Repository) -> None:
    hub.faults.add("cdn GET", Status(503), count=1000)
    stop = threading.Event()
    ranges = Ranges(repository, stop, {}, Patience(60.0, first=30.0))
    threading.Timer(0.1, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        ranges.fetch(repository.entries[NAME], 0, memoryview(bytearray(10)))
    assert time.monotonic() - started < 5


def test_a_file_that_became_another_is_refused(hub: HubServer, repository: Repository) -> None:
    hub.faults.add("hub HEAD", Status(302, {"x-repo-commit": "0" * 40, "x-linked-etag": '"' + "0" * 64 + '"',
                                            "x-linked-size": str(len(DATA)), "location": hub.site.sign("/x")}))  # fmt: skip
    with pytest.raises(CheckpointError, match="not the file that the Hub lists"):
        fetched(repository)


def test_follows_a_second_redirect_without_the_token(hub: HubServer, repository: Repository) -> None:
    url = hub.site.sign(f"/repos/org/model/{repository.entries[NAME].sha256}")
    hub.faults.add("cdn GET", Status(302, {"location": url}))
    buffer = bytearray(10)
    locations = {NAME: Location(f"{hub.cdn}/elsewhere", is_hub=False)}
    Ranges(repository, threading.Event(), locations).fetch(repository.entries[NAME], 5, memoryview(buffer))
    assert bytes(buffer) == DATA[5:15]
    assert locations[NAME].url == url
