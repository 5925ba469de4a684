"""Files that are only read: opened without surprises, every read complete or an error that names the file."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ggufpress.errors import InputError

# Linux reads at most 2 GiB less a page per call; smaller requests let a signal through
MAX_READ = 1 << 30
HASHED = 1 << 20
"""Bytes of a file that are hashed at a time."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells a file from a later state of it: size in bytes, time of change in ns.

    Not the inode: some network file systems make one up each time.
    """

    size: int
    mtime_ns: int


class ReadOnlyFile:
    """A regular file, open for reading at any position from any thread. A context manager.

    `error` is the class of InputError to raise when the file is missing, no regular file, unreadable or too short.
    """

    def __init__(self, path: Path, error: type[InputError]) -> None:
        self.path = path
        self._error = error
        try:
            # without O_NONBLOCK, opening a named pipe would wait for a writer
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            if path.is_symlink():
                raise error(f"{path} is a link to a file that does not exist") from None
            raise error(f"{path} is missing") from None
        except (OSError, ValueError) as cause:
            raise error(f"{path} cannot be opened: {reason(cause)}") from cause
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(self._fd)
            raise error(f"{path} is {_kind(status.st_mode)}, not a regular file")
        self.stamp = _stamp(status)

    @property
    def size(self) -> int:
        """Size in bytes when the file was opened."""
        return self.stamp.size

    def read(self, offset: int, nbytes: int, what: str) -> bytes:
        """Exactly `nbytes` bytes from `offset` on. Checks the size first; `what` names them in an error."""
        if offset + nbytes > self.size:
            raise self._short(what)
        buffer = bytearray(nbytes)
        self.read_into(offset, memoryview(buffer), what)
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` with the bytes from `offset` on. `what` names them in an error."""
        view = buffer.cast("B")
        done = 0
        while done < len(view):
            try:
                count = os.preadv(self._fd, [view[done : done + MAX_READ]], offset + done)
            except OSError as cause:
                raise self._error(f"{self.path}: {what} cannot be read: {reason(cause)}") from cause
            if count == 0:
                raise self._short(what)
            done += count

    def advise(self, offset: int, nbytes: int) -> None:
        """Ask the system to read these bytes ahead, where it can."""
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(self._fd, offset, nbytes, os.POSIX_FADV_WILLNEED)

    def check(self, expected: FileStamp) -> None:
        """Raise where the file is not, or no longer, the one that `expected` was taken of."""
        now = _stamp(os.fstat(self._fd))
        if now != expected:
            change = f"from {expected.size} to {now.size} bytes" if now.size != expected.size else "on disk"
            raise self._error(
                f"{self.path} has changed {change} since its header was read",
                hint="run it again when nothing writes to it",
            )

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> ReadOnlyFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _short(self, what: str) -> InputError:
        return self._error(
            f"{self.path} ends within {what}, after {os.fstat(self._fd).st_size} bytes",
            hint="it is incomplete: download or copy it again",
        )


def reason(error: OSError | ValueError) -> str:
    """What the system said, without number and path."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _stamp(status: os.stat_result) -> FileStamp:
    return FileStamp(status.st_size, status.st_mtime_ns)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def file_sha256(path: Path, error: type[InputError], first: int | None = None) -> str:
    """The sha256 of the file at `path`, or of its `first` bytes. Raises `error` where it cannot be read."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(HASHED))
    with ReadOnlyFile(path, error) as file:
        end = file.size if first is None else min(first, file.size)
        for at in range(0, end, HASHED):
            chunk = buffer[: min(HASHED, end - at)]
            file.read_into(at, chunk, "its bytes")
            digest.update(chunk)
    return digest.hexdigest()
