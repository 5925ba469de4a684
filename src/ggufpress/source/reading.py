"""The bytes of a checkpoint's tensors, in slabs, from any thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType

from ggufpress.errors import CheckpointError, InputError
from ggufpress.files import ReadOnlyFile
from ggufpress.source.checkpoint import TensorRef

MAX_OPEN = 64


class TensorReader:
    """Reads parts of tensors. Each file is opened once and stays open; at most `max_open` idle ones do.

    A context manager. All methods may be called from many threads at once. `error` is what a failing file raises.
    """

    def __init__(self, max_open: int = MAX_OPEN, error: type[InputError] = CheckpointError) -> None:
        self._max_open = max_open
        self._error = error
        self._lock = Lock()
        self._files: OrderedDict[Path, ReadOnlyFile] = OrderedDict()
        self._users: dict[Path, int] = {}

    def read_into(self, ref: TensorRef, start: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes of `ref` from its byte `start` on.

        Raises InputError where the file fails, ends early or is not the one whose header was read.
        """
        if not 0 <= start <= start + buffer.nbytes <= ref.nbytes:
            raise ValueError(f"bytes {start} to {start + buffer.nbytes} are not within the {ref.nbytes} of {ref.name}")
        with self._open(ref) as file:
            file.read_into(ref.offset + start, buffer, f"tensor {ref.name!r}")

    def advise(self, ref: TensorRef, start: int, length: int) -> None:
        """Let the system read these bytes of `ref` ahead."""
        with self._open(ref) as file:
            file.advise(ref.offset + start, length)

    def close(self) -> None:
        """Close all files. No other method may be running."""
        with self._lock:
            while self._files:
                self._files.popitem()[1].close()

    def __enter__(self) -> TensorReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _open(self, ref: TensorRef) -> Iterator[ReadOnlyFile]:
        path = ref.file
        with self._lock:
            file = self._files.get(path)
            if file is None:
                file = self._files[path] = self._opened(ref)
            self._files.move_to_end(path)
            self._users[path] = self._users.get(path, 0) + 1
        try:
            yield file
        finally:
            with self._lock:
                self._users[path] -= 1
                self._close_oldest()

    def _opened(self, ref: TensorRef) -> ReadOnlyFile:
        file = ReadOnlyFile(ref.file, self._error)
        try:
            if ref.stamp is not None:
                file.check(ref.stamp)
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
