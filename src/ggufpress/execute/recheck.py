"""Reading an output back while it is written: every byte that was computed must be the byte that is in the file.

The reader follows the writers in file order. It hashes the whole file in one thread and its tensors in another, compares
each tensor with the sha256 of the bytes in memory, and gives the sha256 of the file.
"""

from __future__ import annotations

import hashlib
import os
import queue
from collections.abc import Sequence
from pathlib import Path
from threading import Condition, Thread
from typing import Protocol

from ggufpress.errors import GgufError, VerifyError
from ggufpress.files import reason
from ggufpress.gguf.header import ALIGNMENT, padded
from ggufpress.gguf.reader import read_gguf
from ggufpress.quant.types import QType

CHUNK = 1 << 20


class PlacedTensor(Protocol):
    """A tensor and where it goes. `offset` counts bytes from the start of the data section."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...

    @property
    def qtype(self) -> QType:
        """Its type."""
        ...

    @property
    def offset(self) -> int:
        """Where its data starts."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of its data."""
        ...


class PlacedFile(Protocol):
    """A file as it was planned: its header and the tensors after it."""

    @property
    def header(self) -> bytes:
        """All bytes before the data section."""
        ...

    @property
    def tensors(self) -> Sequence[PlacedTensor]:
        """The tensors in file order."""
        ...

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        ...


class Stopped(Exception):
    """The writers gave up; there is nothing to check."""


class ReadBack:
    """Checks one output, in threads of its own, as its tensors are finished. Use as a context manager around writing."""

    def __init__(self, path: Path, output: PlacedFile, alignment: int = ALIGNMENT) -> None:
        self._path = path
        self._output = output
        self._alignment = alignment
        self._computed: dict[str, str] = {}
        self._news = Condition()
        self._stopped = False
        self._buffer = memoryview(bytearray(CHUNK))
        self._sha256: str | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name=f"read back {path.name}", daemon=True)

    def __enter__(self) -> ReadBack:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._stopped = True
            self._news.notify()
        self._thread.join()

    def finished(self, name: str, sha256: str) -> None:
        """All bytes of the tensor `name` are written; `sha256` is of the bytes in memory."""
        with self._news:
            self._computed[name] = sha256
            self._news.notify()

    def result(self) -> str:
        """The sha256 of the whole file, once all of it was read back.

        Raises VerifyError that names the first tensor that differs.
        """
        while self._thread.is_alive():
            self._thread.join(0.2)
        if self._error:
            raise self._error
        assert self._sha256 is not None
        return self._sha256

    def _run(self) -> None:
        try:
            self._sha256 = self._check()
        except Stopped:
            pass
        except OSError as error:
            self._error = VerifyError(f"{self._path} cannot be read back: {reason(error)}")
        except BaseException as error:
            self._error = error

    def _check(self) -> str:
        whole = hashlib.sha256()
        tensors = _TensorHashes()
        with self._path.open("rb", buffering=0) as stream, tensors:
            self._check_header(stream.fileno(), whole)
            for tensor in self._output.tensors:
                self._wait(tensor.name)
                self._read(stream.fileno(), tensor, whole, tensors)
        for tensor in self._output.tensors:
            if tensors.digests[tensor.name] != self._computed[tensor.name]:
                raise VerifyError(
                    f"{self._path}: the bytes of {tensor.name} read back are not those that were computed",
                    hint="the disk or the memory of this machine is at fault; nothing was kept",
                )
        check_places(self._path, self._output)
        return whole.hexdigest()

    def _check_header(self, fd: int, whole: hashlib._Hash) -> None:
        found = _pread(fd, len(self._output.header), 0)
        if found != self._output.header:
            raise VerifyError(f"{self._path}: the header read back is not what was written")
        whole.update(found)

    def _wait(self, name: str) -> None:
        with self._news:
            self._news.wait_for(lambda: self._stopped or name in self._computed)
            if name not in self._computed:
                raise Stopped

    def _read(self, fd: int, tensor: PlacedTensor, whole: hashlib._Hash, tensors: _TensorHashes) -> None:
        start = len(self._output.header) + tensor.offset
        end = start + tensor.nbytes
        for at in range(start, end, CHUNK):
            if self._stopped:
                raise Stopped
            chunk = self._buffer[: min(CHUNK, end - at)]
            if os.preadv(fd, [chunk], at) != len(chunk):
                raise VerifyError(f"{self._path} ends within {tensor.name}")
            tensors.add(tensor.name, chunk)
            whole.update(chunk)
            tensors.wait()
        data_end = tensor.offset + tensor.nbytes
        padding = _pread(fd, padded(data_end, self._alignment) - data_end, end)
        if padding.strip(b"\0"):
            raise VerifyError(f"{self._path}: the padding after {tensor.name} is not zero")
        whole.update(padding)


class _TensorHashes:
    """Hashes tensors in a thread of its own, chunk by chunk in step with the caller. `digests` is filled at the end."""

    def __init__(self) -> None:
        self.digests: dict[str, str] = {}
        self._work: queue.SimpleQueue[tuple[str, memoryview] | None] = queue.SimpleQueue()
        self._hashed: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = Thread(target=self._run, name="hash tensors", daemon=True)

    def __enter__(self) -> _TensorHashes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._work.put(None)
        self._thread.join()

    def add(self, name: str, chunk: memoryview) -> None:
        """Begin to hash `chunk`, the next bytes of the tensor `name`."""
        self._work.put((name, chunk))

    def wait(self) -> None:
        """Wait until the chunk added last is hashed."""
        self._hashed.get()

    def _run(self) -> None:
        hashes: dict[str, hashlib._Hash] = {}
        while (work := self._work.get()) is not None:
            name, chunk = work
            hashes.setdefault(name, hashlib.sha256()).update(chunk)
            self._hashed.put(None)
        self.digests.update({name: digest.hexdigest() for name, digest in hashes.items()})


def check_places(path: Path, output: PlacedFile) -> None:
    """Raise VerifyError where a reader of the file at `path` would find other tensors or places than `output` planned."""
    try:
        found = read_gguf(path)
    except GgufError as error:
        raise VerifyError(f"{path}: the header read back is not what was written: {error}") from error
    if found.file_size != output.file_bytes:
        raise VerifyError(f"{path} has {found.file_size:,} bytes, {output.file_bytes:,} were planned")
    planned = {tensor.name: tensor for tensor in output.tensors}
    for tensor in found.tensors:
        wanted = planned[tensor.name]
        place = (wanted.shape, wanted.qtype, len(output.header) + wanted.offset, wanted.nbytes)
        if (tensor.shape, tensor.qtype, tensor.offset, tensor.nbytes) != place:
            raise VerifyError(f"{path}: {tensor.name} is not where it was planned")


def _pread(fd: int, count: int, offset: int) -> bytes:
    return os.pread(fd, count, offset) if count else b""
