from __future__ import annotations

from collections.abc import Iterator

import pytest

from ggufpress import _native


@pytest.fixture(params=_native.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every instruction set of this machine in turn, in use while the test runs."""
    before = _native.isa()
    name: str = request.param
    _native.set_isa(name)
    yield name
    _native.set_isa(before)
