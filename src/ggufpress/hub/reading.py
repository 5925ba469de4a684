"""One run's reading of a repository's files: what is advised is fetched ahead, and every whole file is hashed on the way."""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

from ggufpress.hub.hashing import BLOCK, FileHash
from ggufpress.hub.local import LocalFiles, verdict
from ggufpress.hub.prefetch import AHEAD, RANGE, Fetched, Want, Wanted, buffer_of, whole_blocks
from ggufpress.hub.ranges import Location, Ranges
from ggufpress.hub.repository import HubEntry, Repository
from ggufpress.hub.session import Cancelled
from ggufpress.source.remote import FileRead, RemoteFile

CONNECTIONS = 8
NEWS = 1 << 20
"""Bytes after which readers look again at a range that is arriving."""
WINDOW = 48 << 20
"""Bytes of all files that are kept for their hash because they came before others of their file."""
EXTRA = 16 << 20
EXTRA_SHARE = 20
"""A file's bytes that no tensor needs, or not yet, are fetched for its hash up to EXTRA and one part in EXTRA_SHARE of it."""
BLOCKS = 16
"""Small reads that were not announced take a block at a time; so many are kept."""
PARTING = 1.0
"""Seconds that connections are given to end when nobody needs them any more."""

Told = Callable[[Fetched | None, BaseException | None], None]


class HubReading:
    """Reads the files `entries` of one repository, from many threads. `begun` are hashes of what was read of them before;
    with None nothing is hashed, and `finish` knows nothing.
    """

    ahead = AHEAD

    def __init__(
        self,
        repository: Repository,
        entries: Mapping[str, HubEntry],
        locations: dict[str, Location],
        begun: Mapping[str, FileHash] | None,
        wanted: Wanted | None = None,
    ) -> None:
        self._entries = entries
        self._stop = threading.Event()
        self._ranges = Ranges(repository, self._stop, locations)
        self._news = threading.Condition()
        # without a hash there is nothing to compare blocks for
        self._wanted = wanted or (Wanted() if begun is not None else Wanted(block=1))
        self._unhashed = 0
        self._error: BaseException | None = None
        self._workers: list[threading.Thread] = []
        self._hashes = None if begun is None else _Hashes(self._ranges, begun, self._hashed)
        self._local = LocalFiles(self._stop)
        self._blocks = _Blocks(self._ranges, self._hashes)

    def advise(self, file: RemoteFile, offset: int, nbytes: int) -> None:
        """These bytes will be read, as one call of `read_into`."""
        entry = self._entry(file)
        if entry.local:
            self._local.advise(entry, entry.local, offset, nbytes)
            return
        with self._news:
            self._wanted.add(entry, offset, nbytes)
            self._news.notify_all()
        if not self._workers:
            self._start()

    def read_into(self, file: RemoteFile, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` with the bytes from `offset` on. Raises GgufpressError."""
        entry = self._entry(file)
        if entry.local:
            self._local.read_into(entry, entry.local, offset, buffer, what)
            return
        view = buffer.cast("B")
        with self._news:
            want = self._wanted.take(entry, offset, len(view))
            self._news.notify_all()
        if want is None:
            self._blocks.read_into(entry, offset, view)
        else:
            self._copy(want, view)

    def finish(self) -> tuple[FileRead, ...]:
        """What was read, once nothing more will be. Raises CheckpointError for a file with another hash."""
        with self._news:
            # what was read last may still be on its way to the hash
            self._news.wait_for(lambda: not self._unhashed or self._error or self._stop.is_set())
            self._raise_error()
        return (*(self._hashes.finish() if self._hashes else ()), *self._local.finish())

    def checked(self) -> tuple[FileRead, ...]:
        """The files that were read whole so far and are right."""
        return tuple(self._hashes.right) if self._hashes else ()

    def stop(self) -> None:
        """Let whoever waits for bytes wait no longer: Cancelled tells them. From any thread."""
        self._stop.set()
        self._ranges.hang_up()
        with self._news:
            self._news.notify_all()

    def close(self) -> None:
        """Stop all work. A second call does nothing."""
        self.stop()
        deadline = time.monotonic() + PARTING
        for worker in self._workers:
            # one that waits for an answer notices when that comes, and then does nothing more
            worker.join(max(0.0, deadline - time.monotonic()))
        self._workers.clear()
        if self._hashes:
            self._hashes.close()
        self._local.close()

    def _entry(self, file: RemoteFile) -> HubEntry:
        return self._entries[file.name]

    def _start(self) -> None:
        with self._news:
            if self._workers:
                return
            for number in range(CONNECTIONS):
                worker = threading.Thread(target=self._work, name=f"hub-{number}", daemon=True)
                self._workers.append(worker)
                worker.start()

    def _work(self) -> None:
        try:
            while (fetched := self._next()) is not None:
                self._ranges.fetch(fetched.entry, fetched.start, fetched.data, partial(self._arrived, fetched))
                if self._hashes:
                    self._hashes.add(fetched)
                else:
                    self._hashed(fetched, None)
        except Cancelled:
            pass
        except BaseException as error:
            with self._news:
                self._error = self._error or error
                self._news.notify_all()

    def _next(self) -> Fetched | None:
        with self._news:
            while not self._stop.is_set() and not self._error:
                if (fetched := self._wanted.next_range()) is not None:
                    self._unhashed += 1
                    return fetched
                self._news.wait()
            return None

    def _arrived(self, fetched: Fetched, count: int) -> None:
        if count - fetched.filled >= NEWS or count == len(fetched.data):
            with self._news:
                fetched.filled = count
                self._news.notify_all()

    def _copy(self, want: Want, buffer: memoryview) -> None:
        with self._news:
            while want.fetched is None or want.fetched.filled < want.end - want.fetched.start:
                self._raise_error()
                if self._stop.is_set():
                    raise Cancelled
                self._news.wait()
            fetched = want.fetched
        at = want.start - fetched.start
        buffer[:] = fetched.data[at : at + len(buffer)]
        with self._news:
            fetched.users -= 1
            self._release(fetched)

    def _hashed(self, fetched: Fetched | None, error: BaseException | None) -> None:
        """Told by the hashing thread: a range was hashed, or everything is over."""
        with self._news:
            if fetched:
                fetched.hashed = True
                self._unhashed -= 1
                self._release(fetched)
            self._error = self._error or error
            self._news.notify_all()

    def _release(self, fetched: Fetched) -> None:
        if fetched.is_done:
            self._wanted.release(fetched)
            self._news.notify_all()

    def _raise_error(self) -> None:
        if self._error:
            raise self._error


class _Blocks:
    """Reads that nobody announced: small ones get a block around them, which the next is likely to need, too."""

    def __init__(self, ranges: Ranges, hashes: _Hashes | None) -> None:
        self._ranges = ranges
        self._hashes = hashes
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[str, int], memoryview] = OrderedDict()

    def read_into(self, entry: HubEntry, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes from `offset` on."""
        if len(buffer) >= BLOCK:
            start, end = whole_blocks(offset, offset + len(buffer), entry.size)
            buffer[:] = self._fetched(entry, start, end)[offset - start :][: len(buffer)]
            return
        done = 0
        while done < len(buffer):
            number, inside = divmod(offset + done, BLOCK)
            part = self._block(entry, number)[inside : inside + len(buffer) - done]
            buffer[done : done + len(part)] = part
            done += len(part)

    def _block(self, entry: HubEntry, number: int) -> memoryview:
        with self._lock:
            found = self._blocks.get((entry.name, number))
        if found is None:
            found = self._fetched(entry, *whole_blocks(number * BLOCK, number * BLOCK + 1, entry.size))
            with self._lock:
                self._blocks[entry.name, number] = found
                while len(self._blocks) > BLOCKS:
                    self._blocks.popitem(last=False)
        return found

    def _fetched(self, entry: HubEntry, start: int, end: int) -> memoryview:
        data = buffer_of(end - start)
        self._ranges.fetch(entry, start, data)
        if self._hashes:
            self._hashes.compare(entry, start, data)
        return data


class _Hashes:
    """Hashes files as their ranges arrive, in a thread of its own. `told` hears of each range that is done with."""

    def __init__(self, ranges: Ranges, begun: Mapping[str, FileHash], told: Told) -> None:
        self._ranges = ranges
        self._begun = begun
        self._told = told
        self._files: dict[str, FileHash] = {}
        self._given_up: set[str] = set()
        self.right: list[FileRead] = []
        self._extra: dict[str, int] = {}
        self._work: queue.SimpleQueue[Fetched | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, fetched: Fetched) -> None:
        """Hash a range that has arrived."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hub-hash", daemon=True)
                self._thread.start()
        self._work.put(fetched)

    def compare(self, entry: HubEntry, start: int, data: memoryview) -> None:
        """Raise CheckpointError for whole blocks that are read beside the hash and are not what the hash has, or will have."""
        with self._lock:
            self._of(entry).compare(start, data)

    def finish(self) -> list[FileRead]:
        """The verdict on each file. Fetches the bytes that no tensor needed, where they are few."""
        self.close()
        for name, hash_ in self._files.items():
            if name not in self._given_up and not hash_.is_whole:
                self._fill(hash_, list(hash_.gaps()))
        return [verdict(hash_) for hash_ in self._files.values()]

    def close(self) -> None:
        """Wait for what is being hashed."""
        if self._thread:
            self._work.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            while (fetched := self._work.get()) is not None:
                self._take(fetched)
                self._told(fetched, None)
        except BaseException as error:
            self._told(None, error)

    def _take(self, fetched: Fetched) -> None:
        name = fetched.entry.name
        with self._lock:
            hash_ = self._of(fetched.entry)
            hash_.compare(fetched.start, fetched.data)
        if name in self._given_up:
            return
        hash_.add(fetched.start, fetched.data)
        if hash_.is_whole:
            self.right.append(verdict(hash_))
        while sum(one.parked_bytes for one in self._files.values()) > WINDOW:
            most = max(self._files.values(), key=lambda one: one.parked_bytes)
            self._fill(most, [most.gap()])

    def _of(self, entry: HubEntry) -> FileHash:
        if entry.name not in self._files:
            begun = self._begun.get(entry.name)
            self._files[entry.name] = begun.copy() if begun else FileHash(entry)
        return self._files[entry.name]

    def _fill(self, hash_: FileHash, gaps: list[tuple[int, int]]) -> None:
        """Fetch what is missing of a file; give its hash up where that is too much."""
        name = hash_.entry.name
        missing = sum(end - start for start, end in gaps)
        spent = self._extra[name] = self._extra.get(name, 0) + missing
        if spent > EXTRA + hash_.entry.size // EXTRA_SHARE:
            self._given_up.add(name)
            hash_.forget()
            return
        for start, end in (whole_blocks(start, end, hash_.entry.size) for start, end in gaps):
            for at in range(start, end, RANGE):
                data = buffer_of(min(RANGE, end - at))
                self._ranges.fetch(hash_.entry, at, data)
                # a tensor may yet ask for these bytes, and will then get another answer
                self.compare(hash_.entry, at, data)
                hash_.add(at, data)
