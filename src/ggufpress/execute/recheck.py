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

from ggufpress.errors import GgufError, VerifyError
from ggufpress.files import reason
from ggufpress.gguf.header import padded
from ggufpress.gguf.placed import PlacedFile, PlacedTensor
from ggufpress.gguf.reader import read_gguf

CHUNK = 1 << 20


class Stopped(Exception):
    """The writers gave up; there is nothing to check."""


File = PlacedFile[PlacedTensor]
EMPTY = hashlib.sha256().hexdigest()


class ReadBack:
    """Checks the files of one output, one after the other, in threads of its own, as their tensors are finished.

    `files` are the plans with the paths where they are written for now. Use as a context manager around writing.
    """

    def __init__(self, files: Sequence[tuple[Path, File]]) -> None:
        self._files = files
        self._computed: dict[str, str] = {}
        self._news = Condition()
        self._stopped = False
        self._buffer = memoryview(bytearray(CHUNK))
        self._sha256: tuple[str, ...] = ()
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name=f"read back {files[0][0].name}", daemon=True)

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

    def result(self) -> tuple[str, ...]:
        """The sha256 of each whole file, once all of it was read back.

        Raises VerifyError that names the first tensor that differs.
        """
        while self._thread.is_alive():
            self._thread.join(0.2)
        if self._error:
            raise self._error
        return self._sha256

    def _run(self) -> None:
        path = self._files[0][0]
        try:
            digests = []
            for path, file in self._files:
                digests.append(self._check(path, file))
            self._sha256 = tuple(digests)
        except Stopped:
            pass
        except OSError as error:
            self._error = VerifyError(f"{path} cannot be read back: {reason(error)}")
        except BaseException as error:
            self._error = error

    def _check(self, path: Path, file: File) -> str:
        whole = hashlib.sha256()
        tensors = _TensorHashes()
        with path.open("rb", buffering=0) as stream, tensors:
            found = _pread(stream.fileno(), len(file.header), 0)
            if found != file.header:
                raise VerifyError(f"{path}: the header read back is not what was written")
            whole.update(found)
            for tensor in file.tensors:
                self._wait(tensor.name)
                self._read(stream.fileno(), len(file.header) + tensor.offset, tensor, whole, tensors)
                _check_padding(path, stream.fileno(), file, tensor, whole)
        for tensor in file.tensors:
            if tensors.digests.get(tensor.name, EMPTY) != self._computed[tensor.name]:
                raise VerifyError(
                    f"{path}: the bytes of {tensor.name} read back are not those that were computed",
                    hint="the disk or the memory of this machine is at fault; nothing was kept",
                )
        check_places(path, file)
        return whole.hexdigest()

    def _wait(self, name: str) -> None:
        with self._news:
            self._news.wait_for(lambda: self._stopped or name in self._computed)
            if name not in self._computed:
                raise Stopped

    def _read(self, fd: int, start: int, tensor: PlacedTensor, whole: hashlib._Hash, tensors: _TensorHashes) -> None:
        end = start + tensor.nbytes
        for at in range(start, end, CHUNK):
            if self._stopped:
                raise Stopped
            chunk = self._buffer[: min(CHUNK, end - at)]
            if os.preadv(fd, [chunk], at) != len(chunk):
                raise VerifyError(f"the file ends within {tensor.name} when it is read back")
            tensors.add(tensor.name, chunk)
            whole.update(chunk)
            tensors.wait()


def _check_padding(path: Path, fd: int, file: File, tensor: PlacedTensor, whole: hashlib._Hash) -> None:
    end = tensor.offset + tensor.nbytes
    padding = _pread(fd, padded(end, file.alignment) - end, len(file.header) + end)
    if padding.strip(b"\0"):
        raise VerifyError(f"{path}: the padding after {tensor.name} is not zero")
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


def check_places(path: Path, output: File) -> None:
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
