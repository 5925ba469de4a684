from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hubserver.server import HubServer

Connect = Callable[..., Any]


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        server.store.add_user("ann", "hf_annstoken", orgs=("org",))
        server.store.add_user("bob", "hf_bobstoken")
        yield server


@pytest.fixture
def connect(hub: HubServer, tmp_path: Path) -> Connect:
    """Makes sessions with the test Hub that wait hardly at all."""
    from ggufpress.hub.patience import Patience
    from ggufpress.hub.session import Session

    def connected(token: str | None = None, limit: float = 0.5, **options: Any) -> Session:
        quick = Patience(limit, first=0.01, longest=0.05)
        options = {
            "endpoint": hub.endpoint,
            "cache": str(tmp_path / "cache"),
            "brief": quick,
            "steady": quick,
            **options,
        }
        return Session(token, **options)

    return connected
