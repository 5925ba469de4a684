"""Files of a repository that are on this disk already, and what is known of a file once it was hashed."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from ggufpress.errors import CheckpointError
from ggufpress.files import ReadOnlyFile
from ggufpress.hub.hashing import FileHash
from ggufpress.hub.repository import HubEntry
from ggufpress.hub.session import Cancelled
from ggufpress.source.remote import FileRead

CHUNK = 1 << 20


class LocalFiles:
    """The repository's files that are on this disk already. Each is hashed whole in a thread beside the reading."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._files: dict[str, ReadOnlyFile] = {}
        self._verdicts: dict[str, Future[FileRead]] = {}
        self._executor: ThreadPoolExecutor | None = None
        self._open = ExitStack()

    def advise(self, entry: HubEntry, path: Path, offset: int, nbytes: int) -> None:
        """Let the system read ahead, and begin to hash the file."""
        file = self._file(entry, path)
        with self._lock:
            if entry.name not in self._verdicts:
                self._executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="hub-hash")
                self._verdicts[entry.name] = self._executor.submit(whole_file, entry, path, self._stop)
        file.advise(offset, nbytes)

    def read_into(self, entry: HubEntry, path: Path, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` with the bytes from `offset` on."""
        self._file(entry, path).read_into(offset, buffer, what)

    def finish(self) -> list[FileRead]:
        """The verdict on each file that was read."""
        return [future.result() for future in self._verdicts.values()]

    def close(self) -> None:
        """Close the files."""
        if self._executor:
            self._executor.shutdown(cancel_futures=True)
        self._open.close()

    def _file(self, entry: HubEntry, path: Path) -> ReadOnlyFile:
        with self._lock:
            if entry.name not in self._files:
                self._files[entry.name] = self._open.enter_context(ReadOnlyFile(path, CheckpointError))
            return self._files[entry.name]


def whole_file(entry: HubEntry, path: Path, stop: threading.Event) -> FileRead:
    """The verdict on a file on this disk. Raises CheckpointError where its hash is another, Cancelled."""
    hash_ = FileHash(entry)
    buffer = memoryview(bytearray(CHUNK))
    if entry.checked:
        return FileRead(entry.name, entry.size, entry.sha256, checked=True)
    with ReadOnlyFile(path, CheckpointError) as file:
        if file.size != entry.size:
            raise CheckpointError(
                f"{path} has {file.size:,} bytes, the Hub lists {entry.size:,}", hint=f"remove it: rm {path}"
            )
        for at in range(0, file.size, CHUNK):
            if stop.is_set():
                raise Cancelled
            chunk = buffer[: min(CHUNK, file.size - at)]
            file.read_into(at, chunk, "its bytes")
            hash_.add(at, chunk)
    return verdict(hash_, path)


def verdict(hash_: FileHash, path: Path | None = None) -> FileRead:
    """What is known of a file. Raises CheckpointError where it was hashed whole and is not the one that the Hub lists."""
    entry = hash_.entry
    if not hash_.is_whole:
        return FileRead(entry.name, entry.size, entry.sha256, checked=False)
    right = hash_.is_right
    if right is False:
        hint = (
            f"remove it from the cache and run it again: rm {path}"
            if path
            else "run it again: something on the way changed it"
        )
        raise CheckpointError(
            f"{path or entry.name} is not the file that the Hub lists: its sha256 is another", hint=hint
        )
    return FileRead(entry.name, entry.size, hash_.sha256, checked=right is not None)
