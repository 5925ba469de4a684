"""Hashing the slabs of a tensor in order, whichever thread finishes first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from threading import Lock


class OrderedHashes:
    """The sha256 of each output's bytes of one tensor. Slabs arrive in any order and are hashed in order."""

    def __init__(self, n_outputs: int) -> None:
        self._hashes = [hashlib.sha256() for _ in range(n_outputs)]
        self._waiting: dict[int, tuple[Sequence[memoryview], Callable[[], None]]] = {}
        self._next = 0
        self._count: int | None = None
        self._lock = Lock()

    def add(self, index: int, is_last: bool, data: Sequence[memoryview], release: Callable[[], None]) -> bool:
        """Take slab `index`, one buffer per output; whether all slabs of the tensor are hashed now.

        `release` is called once the buffers are no longer needed.
        """
        with self._lock:
            if is_last:
                self._count = index + 1
            self._waiting[index] = (data, release)
            while self._next in self._waiting:
                buffers, done = self._waiting.pop(self._next)
                for digest, buffer in zip(self._hashes, buffers, strict=True):
                    digest.update(buffer)
                done()
                self._next += 1
            return self._next == self._count

    def digests(self) -> tuple[str, ...]:
        """The finished digests, in hexadecimal."""
        return tuple(digest.hexdigest() for digest in self._hashes)
