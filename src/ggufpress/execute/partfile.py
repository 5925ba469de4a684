"""A file that appears under its name only when it is complete: written as NAME.part, synced, renamed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from ggufpress.errors import OutputError, SpaceError

OTHER_FILES = 200
"""Files that a run has open besides its outputs."""


class PartFile:
    """`final`.part, open for writing at any offset by any thread. Leaving the `with` block without commit removes it.

    With `keep` it is opened with what a run before left in it, and stays where it is not committed.

    Raises OutputError where `final` exists and not `force`, where the folder cannot be written, or where another process
    is writing the same file.
    """

    def __init__(self, final: Path, size: int, *, force: bool = False, keep: bool = False) -> None:
        self.final = final
        self.path = final.with_name(final.name + ".part")
        self.size = size
        self.keep = keep
        self._force = force
        self._committed = False
        if final.is_dir():
            raise OutputError(f"{final} is a folder")
        if final.exists() and not force:
            raise OutputError(f"{final} exists already", hint="--force replaces it")
        try:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.fd)
            raise OutputError(f"{self.path} is being written by another process") from None
        except OSError:
            # some network file systems have no locks: then two runs are not told apart
            pass
        if not keep:
            self.clear()

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def clear(self) -> None:
        """Drop what is in it."""
        os.ftruncate(self.fd, 0)

    def reserve(self) -> None:
        """Take the disk space of the whole file. Raises SpaceError where there is not enough."""
        try:
            os.posix_fallocate(self.fd, 0, self.size)
        except OSError as error:
            raise self._failed(error) from error

    def write_at(self, offset: int, data: memoryview | bytes) -> None:
        """Write all of `data` at `offset`. Raises SpaceError or OutputError."""
        view = memoryview(data).cast("B")
        try:
            while view:
                written = os.pwrite(self.fd, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            raise self._failed(error) from error

    def sync(self) -> None:
        """Wait until the bytes are on the disk."""
        try:
            os.fsync(self.fd)
        except OSError as error:
            raise self._failed(error) from error

    def commit(self) -> None:
        """Give the file its final name, atomically, and sync the folder."""
        try:
            if self._force:
                os.replace(self.path, self.final)
            else:
                self._rename_exclusively()
            self._committed = True
            folder = os.open(self.final.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except FileExistsError:
            raise OutputError(f"{self.final} appeared while it was being written", hint="--force replaces it") from None
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the file; remove it where it was neither committed nor is to be kept."""
        if self.fd < 0:
            return
        if not self._committed and not self.keep:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        os.close(self.fd)
        self.fd = -1

    def _rename_exclusively(self) -> None:
        # link refuses to replace a file; file systems without hard links get a rename after a check
        try:
            os.link(self.path, self.final)
        except FileExistsError:
            raise
        except OSError:
            if self.final.exists():
                raise FileExistsError from None
            os.rename(self.path, self.final)
        else:
            os.unlink(self.path)

    def _failed(self, error: OSError) -> OutputError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return SpaceError(f"{self.path}: no space for {self.size:,} bytes ({error.strerror})",
                              hint="free some space, or write elsewhere with -o")  # fmt: skip
        return OutputError(f"{self.path} cannot be written: {error.strerror}")


def commit_together(parts: Sequence[PartFile]) -> None:
    """Give all files their final names, or none. The first of `parts` comes last: readers of a set start there.

    Raises OutputError where one cannot be renamed; those that were are removed again.
    """
    done: list[PartFile] = []
    try:
        for part in reversed(parts):
            part.commit()
            done.append(part)
    except BaseException:
        for part in done:
            with contextlib.suppress(OSError):
                os.unlink(part.final)
        raise


def check_space(parts: Sequence[PartFile]) -> None:
    """Raise SpaceError where the disks of `parts` have less free space than the files need together."""
    needed: dict[int, int] = {}
    for part in parts:
        device = os.fstat(part.fd).st_dev
        needed[device] = needed.get(device, 0) + part.size
    for part in parts:
        stat = os.fstatvfs(part.fd)
        need, free = needed[os.fstat(part.fd).st_dev], stat.f_bavail * stat.f_frsize
        if need > free:
            raise SpaceError(f"{part.final.parent.absolute()} has {free:,} bytes free, the outputs need {need:,}",
                             hint="free some space, write elsewhere with -o, or ask for fewer types")  # fmt: skip


def allow_open_files(count: int) -> None:
    """Raise this process's limit of open files where `count` outputs need more. Raises OutputError where none may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + OTHER_FILES
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise OutputError(f"{count:,} shards are more files than this system lets a program open ({hard:,})",
                          hint="choose a larger limit")  # fmt: skip
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
