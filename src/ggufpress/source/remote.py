"""Files that are not on this disk: what the rest of the program may know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class RemoteFile(Protocol):
    """A file that lies elsewhere and never changes: frozen and hashable. As a text it is what messages call it."""

    @property
    def name(self) -> str:
        """Its name, without a folder."""

    @property
    def size(self) -> int:
        """Size in bytes."""

    @property
    def is_here(self) -> bool:
        """Whether a copy of it is on this disk."""

    @property
    def host(self) -> RemoteHost:
        """Who reads it."""


class RemoteHost(Protocol):
    """Where remote files lie. Hashable."""

    def reading(self) -> RemoteReading:
        """A new reading of its files."""

    def bring(self, files: Sequence[RemoteFile], progress: Callable[[int], None]) -> None:
        """Copy whole files to where the host keeps them on this disk; `progress` is told of bytes. Raises GgufpressError."""


@dataclass(frozen=True, slots=True)
class FileRead:
    """What became of a remote file: its sha256, and whether all of its bytes were checked against it."""

    name: str
    nbytes: int
    sha256: str | None
    checked: bool


class RemoteReading(Protocol):
    """One run's reading of remote files, from many threads. Bytes that are advised arrive in that order."""

    @property
    def ahead(self) -> int:
        """How many bytes should be advised before they are read."""

    def advise(self, file: RemoteFile, offset: int, nbytes: int) -> None:
        """These bytes will be read, as one call of `read_into`."""

    def read_into(self, file: RemoteFile, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` with the bytes from `offset` on. `what` names them in an error. Raises GgufpressError."""

    def finish(self) -> tuple[FileRead, ...]:
        """What was read, once nothing more will be. Raises CheckpointError for a file that is not what it should be."""

    def checked(self) -> tuple[FileRead, ...]:
        """The files that were read whole so far and are right."""

    def stop(self) -> None:
        """Let whoever waits for bytes wait no longer: an error tells them. From any thread."""

    def close(self) -> None:
        """Stop all work. A second call does nothing."""


File = Path | RemoteFile
"""A file on this disk, or elsewhere."""


class SmallFiles(Protocol):
    """The files of a checkpoint that are read as a whole, wherever they lie. Names may have a folder before a slash."""

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in the checkpoint's folder, or in one within it; none where it does not exist."""

    def has(self, name: str) -> bool:
        """Whether the file `name` exists."""

    def path(self, name: str) -> Path:
        """Where the file `name` can be read on this disk. Raises GgufpressError where it cannot be brought there."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The small files of a folder on this disk."""

    root: Path

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in the folder, in its own order."""
        place = self.root / folder
        prefix = f"{folder}/" if folder else ""
        return [prefix + path.name for path in place.iterdir() if path.is_file()] if place.is_dir() else []

    def has(self, name: str) -> bool:
        """Whether the file `name` exists."""
        return (self.root / name).is_file()

    def path(self, name: str) -> Path:
        """Where the file `name` is, or would be."""
        return self.root / name
