"""A limit on what Python may allocate."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def memory_within(limit: int) -> Iterator[None]:
    """Fail where more than `limit` bytes are allocated at once within the `with` block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= limit
    finally:
        tracemalloc.stop()
