from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from ggufpress.errors import GgufpressError, HubError, UsageError
from ggufpress.hub.patience import Patience, asked_pause
from ggufpress.hub.refusals import Answered, Asked, Cut
from ggufpress.hub.session import PATIENCE, Attempts, Session
from tests.hub.conftest import Connect
from tests.hubserver.faults import Hang, Reset, Status
from tests.hubserver.server import HubServer

ASKED = Asked("https://hub.test", False, "org/model", None, "a.safetensors")


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"ratelimit": '"api";r=0;t=55', "retry-after": "7"}, 55.0),
        ({"ratelimit": '"api";r=3;t=55', "retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], pause: float | None) -> None:
    assert asked_pause(headers) == pause


def test_a_date_to_wait_for() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    stated = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert asked_pause({"retry-after": stated}, now) == 90.0


def attempts(patience: Patience) -> tuple[Attempts, list[float], list[str]]:
    waited: list[float] = []
    said: list[str] = []
    return Attempts(ASKED, patience, waited.append, said.append), waited, said


def failures(made: Attempts, error: Callable[[], Exception], count: int = 1000) -> GgufpressError | None:
    for _ in range(count):
        try:
            made.failed(error())
        except GgufpressError as failed:
            return failed
    return None


def test_pauses_grow_up_to_a_limit_and_end() -> None:
    made, waited, _ = attempts(Patience(20.0, first=1.0, longest=8.0))
    assert isinstance(failures(made, lambda: Cut("x")), HubError)
    assert waited == [1.0, 2.0, 4.0, 8.0]


def test_bytes_that_arrive_forgive_what_failed() -> None:
    made, waited, _ = attempts(Patience(4.0, first=1.0))
    for _ in range(100):
        made.failed(httpx2.ReadError("reset"))
        made.progressed()
    assert waited == [1.0] * 100


def test_what_the_server_asks_for_counts_by_itself_and_is_said() -> None:
    made, waited, said = attempts(Patience(4.0, asked=100.0))
    limited = Answered(429, {"retry-after": "40"})
    assert failures(made, lambda: limited, 2) is None
    assert waited == [41.0, 41.0]
    assert said == ["the Hub asks to wait 41 s"] * 2
    assert "slow down" in str(failures(made, lambda: limited))


def test_what_cannot_get_better_is_not_tried_again() -> None:
    for error in (Answered(403, {}), Answered(404, {}), httpx2.ProxyError("no"), httpx2.UnsupportedProtocol("x")):
        made, waited, _ = attempts(Patience(100.0))
        with pytest.raises(GgufpressError):
            made.failed(error)
        assert waited == []


def test_calls_that_the_library_does_not_repeat_are_repeated(hub: HubServer, connect: Connect) -> None:
    hub.faults.add("whoami", Status(502))
    hub.faults.add("whoami", Reset(), first=2)
    hub.faults.add("whoami", Status(429, {"Retry-After": "0"}), first=3)
    session: Session = connect("hf_annstoken", limit=5.0)
    assert session.call(session.api.whoami, session.asked())["name"] == "ann"
    assert len(hub.requests("whoami")) == 4


def test_no_call_waits_for_ever(hub: HubServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import close_session

    from ggufpress.hub import session as module

    hub.store.create("org/model")
    monkeypatch.setattr(module, "TIMEOUT", httpx2.Timeout(0.3))
    session: Session = connect("hf_annstoken")
    close_session()
    # one takes the client's timeout, the other says that it wants none
    for line, ask in (("whoami", session.api.whoami), ("models", lambda: session.api.model_info("org/model"))):
        hub.faults.add(line, Hang(-1, 30))
        session.call(ask, session.asked())
    close_session()


@pytest.mark.parametrize("body", [{"name": None}, {}])
def test_something_else_than_the_hub_is_said(body: dict[str, str | None], hub: HubServer, connect: Connect) -> None:
    session: Session = connect()
    with pytest.raises(HubError, match="does not answer as the Hub does"):
        session.call(lambda: body["sha"], session.asked())


def test_names_that_do_not_exist_and_ports_that_are_closed(connect: Connect) -> None:
    for endpoint, message in (
        ("http://no.such.host.invalid", "not found"),
        ("http://127.0.0.1:9", "cannot be reached"),
    ):
        session: Session = connect("hf_annstoken", endpoint=endpoint)
        with pytest.raises(HubError, match=message) as caught:
            session.call(session.api.whoami, session.asked())
        assert caught.value.hint


def test_patience_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "7")
    assert (Session().brief.limit, Session().steady.limit) == (4.0, 7.0)
    monkeypatch.setenv(PATIENCE, "600")
    assert (Session().brief.limit, Session().steady.limit) == (4.0, 600.0)
    for wrong in ("long", "nan", "-1"):
        monkeypatch.setenv(PATIENCE, wrong)
        with pytest.raises(UsageError, match=PATIENCE):
            Session()
