"""What will be read, in order, grouped into ranges that are worth a request, within a budget of memory."""

from __future__ import annotations

import mmap
from collections import deque
from dataclasses import dataclass, field

from ggufpress.hub.hashing import BLOCK
from ggufpress.hub.repository import HubEntry

RANGE = 8 << 20
"""Bytes of one request: the way to the Hub and back costs no more than a few per cent of it."""
BUDGET = 96 << 20
"""Bytes that were fetched, or are on their way, and have not been read."""
AHEAD = 160 << 20
"""Bytes that are announced before they are read: more than the budget, so that there is something to group."""
GAP = 64 << 10
"""Bytes between two parts that are fetched with them rather than by another request."""


def buffer_of(nbytes: int) -> memoryview:
    """Memory that goes back to the system when it is no longer used, which that of the heap may not."""
    return memoryview(mmap.mmap(-1, nbytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)) if nbytes else memoryview(b"")


def whole_blocks(start: int, end: int, size: int, block: int = BLOCK) -> tuple[int, int]:
    """The blocks around these bytes of a file of `size` bytes: of them alone two copies can be compared."""
    return start // block * block, min(-(-end // block) * block, size)


@dataclass(slots=True, eq=False)
class Want:
    """Bytes that will be read by one call, from `start` up to `end`. `fetched` is the range that brings them."""

    entry: HubEntry
    start: int
    end: int
    fetched: Fetched | None = None
    urgent: bool = False


@dataclass(slots=True, eq=False)
class Fetched:
    """A range of a file on its way or here: `filled` bytes of `data` have arrived, `users` are still to read some."""

    entry: HubEntry
    start: int
    data: memoryview
    users: int
    filled: int = 0
    hashed: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nobody needs it any more."""
        return self.users == 0 and self.hashed


@dataclass(slots=True)
class Wanted:
    """The queue of what will be read. Not safe for threads: whoever uses it holds a lock.

    Ranges are whole blocks of `block` bytes; with 1 they are no longer than what is read.
    """

    budget: int = BUDGET
    range_bytes: int = RANGE
    block: int = BLOCK
    held: int = 0
    _queue: deque[Want] = field(default_factory=deque)
    _known: dict[tuple[str, int, int], deque[Want]] = field(default_factory=dict)
    _urgent: int = 0

    def add(self, entry: HubEntry, start: int, nbytes: int) -> None:
        """Remember that these bytes will be read."""
        want = Want(entry, start, start + nbytes)
        self._queue.append(want)
        self._known.setdefault((entry.name, start, want.end), deque()).append(want)

    def take(self, entry: HubEntry, start: int, nbytes: int) -> Want | None:
        """What was announced of the bytes that are read now; None where they were not."""
        key = (entry.name, start, start + nbytes)
        waiting = self._known.get(key)
        if not waiting:
            return None
        want = waiting.popleft()
        if not waiting:
            del self._known[key]
        if want.fetched is None:
            want.urgent = True
            self._urgent += 1
        return want

    def next_range(self) -> Fetched | None:
        """The next range to fetch; None where there is nothing, or no room for it.

        Without room for what somebody waits for already, there is some all the same: it would never come free.
        """
        if not self._queue:
            return None
        first = self._queue[0]
        nbytes = first.end - first.start
        if self.held and self.held + nbytes > self.budget and not self._urgent:
            return None
        start, end = first.start, first.start
        users: list[Want] = []
        while self._queue:
            want = self._queue[0]
            near = want.entry is first.entry and start <= want.start <= end + GAP
            if users and (not near or max(end, want.end) - start > self.range_bytes):
                break
            users.append(self._queue.popleft())
            end = max(end, want.end)
            self._urgent -= want.urgent
        start, end = whole_blocks(start, end, first.entry.size, self.block)
        self.held += end - start
        made = Fetched(first.entry, start, buffer_of(end - start), len(users))
        for want in users:
            want.fetched = made
        return made

    def release(self, fetched: Fetched) -> None:
        """The memory of a range that is done is free again."""
        self.held -= len(fetched.data)
        fetched.data = memoryview(b"")
