"""The bytes of a checkpoint's tensors, in slabs, from any thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType

from ggufpress.errors import CheckpointError, InputError
from ggufpress.files import FileStamp, ReadOnlyFile
from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.remote import FileRead, RemoteFile, RemoteHost, RemoteReading

MAX_OPEN = 64


class TensorReader:
    """Reads parts of tensors, of files on this disk or elsewhere.

    Each file on the disk is opened once and stays open; at most `max_open` idle ones do.

    A context manager. All methods may be called from many threads at once. `error` is what a failing file raises.
    """

    def __init__(self, max_open: int = MAX_OPEN, error: type[InputError] = CheckpointError) -> None:
        self._max_open = max_open
        self._error = error
        self._lock = Lock()
        self._files: OrderedDict[Path, ReadOnlyFile] = OrderedDict()
        self._users: dict[Path, int] = {}
        self._remote: dict[RemoteHost, RemoteReading] = {}

    @property
    def ahead(self) -> int:
        """How many bytes should be advised before they are read: none for files on this disk."""
        return max((reading.ahead for reading in self._remote.values()), default=0)

    def read_into(self, ref: TensorRef, start: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes of `ref` from its byte `start` on.

        Raises InputError where the file fails, ends early or is not the one whose header was read.
        """
        if not 0 <= start <= start + buffer.nbytes <= ref.nbytes:
            raise ValueError(f"bytes {start} to {start + buffer.nbytes} are not within the {ref.nbytes} of {ref.name}")
        what = f"tensor {ref.name!r}"
        if not isinstance(ref.file, Path):
            self._reading(ref.file).read_into(ref.file, ref.offset + start, buffer, what)
            return
        with self._open(ref.file, ref.stamp) as file:
            file.read_into(ref.offset + start, buffer, what)

    def advise(self, ref: TensorRef, start: int, length: int) -> None:
        """Let the system read these bytes of `ref` ahead, or fetch them."""
        if not isinstance(ref.file, Path):
            self._reading(ref.file).advise(ref.file, ref.offset + start, length)
            return
        with self._open(ref.file, ref.stamp) as file:
            file.advise(ref.offset + start, length)

    def finish(self) -> tuple[FileRead, ...]:
        """What became of the remote files, once nothing more will be read.

        Raises CheckpointError where one is not what it should be.
        """
        return tuple(read for reading in self._remote.values() for read in reading.finish())

    def checked(self) -> tuple[FileRead, ...]:
        """The remote files that were read whole so far and are right."""
        return tuple(read for reading in list(self._remote.values()) for read in reading.checked())

    def stop(self) -> None:
        """Let whoever waits for bytes from elsewhere wait no longer. From any thread."""
        with self._lock:
            remote = list(self._remote.values())
        for reading in remote:
            reading.stop()

    def close(self) -> None:
        """Close all files. No other method may be running."""
        for reading in self._remote.values():
            reading.close()
        with self._lock:
            while self._files:
                self._files.popitem()[1].close()

    def __enter__(self) -> TensorReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reading(self, file: RemoteFile) -> RemoteReading:
        with self._lock:
            if file.host not in self._remote:
                self._remote[file.host] = file.host.reading()
            return self._remote[file.host]

    @contextmanager
    def _open(self, path: Path, stamp: FileStamp | None) -> Iterator[ReadOnlyFile]:
        with self._lock:
            file = self._files.get(path)
            if file is None:
                file = self._files[path] = self._opened(path, stamp)
            self._files.move_to_end(path)
            self._users[path] = self._users.get(path, 0) + 1
        try:
            yield file
        finally:
            with self._lock:
                self._users[path] -= 1
                self._close_oldest()

    def _opened(self, path: Path, stamp: FileStamp | None) -> ReadOnlyFile:
        file = ReadOnlyFile(path, self._error)
        try:
            if stamp is not None:
                file.check(stamp)
        except InputError:
            file.close()
            raise
        return file

    def _close_oldest(self) -> None:
        if len(self._files) <= self._max_open:
            return
        idle = [path for path in self._files if not self._users[path]]
        for path in idle[: len(self._files) - self._max_open]:
            self._files.pop(path).close()
