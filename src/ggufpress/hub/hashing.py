"""The hash of a whole file whose parts arrive in any order: in file order, with the parts that came early kept aside."""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Iterator

from ggufpress.errors import CheckpointError
from ggufpress.hub.repository import HubEntry

BLOCK = 128 << 10
"""Bytes of a file of which all copies that arrive are compared with each other, by their CRC-32."""


class FileHash:
    """The hash of one file, of as many bytes from its start as are known. `position` counts them.

    Files that the Hub keeps as LFS are known by their sha256, others by the id of their git blob.
    What is fetched again later is no part of the hash: `compare` says whether it is what came before.
    """

    def __init__(self, entry: HubEntry) -> None:
        self.entry = entry
        self._blocks = array("q", [-1]) * -(-entry.size // BLOCK)
        self.position = 0
        self.parked_bytes = 0
        self._sha256 = hashlib.sha256()
        self._git = None if entry.sha256 else hashlib.sha1(b"blob %d\0" % entry.size, usedforsecurity=False)
        self._parked: dict[int, memoryview] = {}

    def copy(self) -> FileHash:
        """The same hash, to go on with. Nothing may be parked. Both compare what arrives with what either has seen."""
        copied = FileHash(self.entry)
        copied._blocks = self._blocks
        copied.position = self.position
        copied._sha256 = self._sha256.copy()
        copied._git = self._git.copy() if self._git else None
        return copied

    def add(self, start: int, data: memoryview) -> bool:
        """Take bytes of the file from `start` on. False where they came early and are kept, unchanged, until their turn."""
        if start > self.position:
            self._park(start, data)
            return False
        self._update(start, data)
        while (first := min(self._parked, default=self.position + 1)) <= self.position:
            parked = self._parked.pop(first)
            self.parked_bytes -= len(parked)
            self._update(first, parked)
        return True

    def compare(self, start: int, data: memoryview) -> None:
        """Hold bytes from a multiple of BLOCK on against earlier answers. Only whole blocks count.

        Raises CheckpointError where they differ.
        """
        for at in range(0, len(data), BLOCK):
            block = data[at : at + BLOCK]
            if len(block) < BLOCK and start + at + len(block) < self.entry.size:
                return
            number, crc = (start + at) // BLOCK, zlib.crc32(block)
            if self._blocks[number] not in (-1, crc):
                raise CheckpointError(
                    f"{self.entry.name} is not the file that the Hub lists: "
                    f"its bytes from {start + at:,} on differ from one answer to the next",
                    hint="run it again; if that persists, a proxy or a cache on the way is broken",
                )
            self._blocks[number] = crc

    def gap(self) -> tuple[int, int]:
        """The first bytes that are missing: from where to where. Empty at the end of the file."""
        return self.position, min(self._parked, default=self.entry.size)

    def gaps(self) -> Iterator[tuple[int, int]]:
        """All bytes that are missing, as from where to where."""
        at = self.position
        for start, data in sorted(self._parked.items()):
            if start > at:
                yield at, start
            at = max(at, start + len(data))
        if at < self.entry.size:
            yield at, self.entry.size

    def forget(self) -> None:
        """Drop what is parked."""
        self._parked.clear()
        self.parked_bytes = 0

    @property
    def is_whole(self) -> bool:
        """Whether all bytes were hashed."""
        return self.position == self.entry.size

    @property
    def sha256(self) -> str:
        """The sha256 of the bytes so far."""
        return self._sha256.hexdigest()

    @property
    def is_right(self) -> bool | None:
        """Whether the whole file is the one that the Hub lists; None where it states no hash."""
        if self.entry.sha256:
            return self.sha256 == self.entry.sha256
        return self._git.hexdigest() == self.entry.oid if self._git and self.entry.oid else None

    def _update(self, start: int, data: memoryview) -> None:
        fresh = data[self.position - start :]
        self._sha256.update(fresh)
        if self._git:
            self._git.update(fresh)
        self.position += len(fresh)

    def _park(self, start: int, data: memoryview) -> None:
        before = self._parked.get(start)
        if before is None or len(before) < len(data):
            self.parked_bytes += len(data) - len(before or b"")
            self._parked[start] = data
