"""A repository on the Hub as a Checkpoint: config and tokenizer from the cache, headers by ranges, weights when they are read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from ggufpress.errors import CheckpointError, UnsupportedError
from ggufpress.files import FileStamp, ReadOnlyFile
from ggufpress.hub.address import HubAddress
from ggufpress.hub.download import download
from ggufpress.hub.hashing import FileHash
from ggufpress.hub.ranges import Location, Ranges
from ggufpress.hub.reading import HubReading
from ggufpress.hub.repository import MAIN, HubEntry, Repository, pinned
from ggufpress.hub.session import Session
from ggufpress.hub.small import SmallHubFiles
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from ggufpress.source.folder import CONFIG, assembled
from ggufpress.source.remote import RemoteFile
from ggufpress.source.safetensors import header_from

FIRST = 128 << 10
"""Bytes of a safetensors file that are fetched first: the whole header of nearly every shard."""
CONNECTIONS = 16


@dataclass(frozen=True, eq=False)
class HubHost:
    """Who reads the weights of `repository`.

    `entries` are its files, which change when one is brought to this disk; `begun` are hashes of the headers that were read,
    `locations` the places where files were found.
    """

    repository: Repository
    entries: dict[str, HubEntry] = field(default_factory=dict)
    begun: dict[str, FileHash] = field(default_factory=dict)
    locations: dict[str, Location] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries.update(self.repository.entries)

    def reading(self) -> HubReading:
        """A new reading of the repository's files."""
        return self._reading(self.begun)

    def _reading(self, begun: Mapping[str, FileHash] | None) -> HubReading:
        return HubReading(self.repository, self.entries, self.locations, begun)

    def bring(self, files: Sequence[RemoteFile], progress: Callable[[int], None]) -> None:
        """Copy files to the library's cache. Raises as `hub.download.download`."""
        for name, path in download(self.repository, self._reading(None), files, progress).items():
            self.entries[name] = replace(self.entries[name], local=path, checked=True)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of weights in a repository."""

    host: HubHost
    name: str

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.host.entries[self.name].size

    @property
    def is_here(self) -> bool:
        """Whether it is in the cache."""
        return self.host.entries[self.name].local is not None

    def __str__(self) -> str:
        return f"{self.host.repository.id}/{self.name}"


def open_on_hub(session: Session, address: HubAddress) -> Checkpoint:
    """The checkpoint in a repository, at the commit that its revision means now.

    Its root is the repository's id, so it has the name that a folder of the same name has.
    Raises RepositoryError, HubError, and as `source.folder.open_checkpoint`.
    """
    return checkpoint_of(pinned(session, address), address)


def checkpoint_of(repository: Repository, address: HubAddress) -> Checkpoint:
    """The checkpoint in a repository. Raises as `open_on_hub`."""
    _refuse_gguf(repository, address)
    small = SmallHubFiles(repository)
    host = HubHost(repository)
    provenance = {
        "repository": repository.id, "revision": repository.revision or MAIN, "commit": repository.commit
    }  # fmt: skip
    blank = Checkpoint(Path(repository.id), {}, {}, small, provenance)
    names = small.names()
    if CONFIG in names:
        small.bring_ahead()
    return assembled(blank, names, lambda shards: _headers(host, shards))


def _refuse_gguf(repository: Repository, address: HubAddress) -> None:
    names = list(repository.entries)
    stored = [name for name in names if name.endswith(".gguf")]
    wanted = address.file
    if wanted is None and (not stored or any(name.endswith(".safetensors") for name in names)):
        return
    if wanted is not None and not wanted.endswith(".gguf"):
        raise UnsupportedError(
            f"{repository.id}: {wanted!r} is a part of a repository, and only whole ones are read",
            hint=f"give {repository.id}, or download that folder: hf download {repository.id} --include '{wanted}/*'",
        )
    name = wanted or min(stored)
    raise UnsupportedError(
        f"{repository.id} holds GGUF files, which are not read from the Hub",
        hint=f"hf download {repository.id} {name} --local-dir . and then give the file {name}",
    )


def _headers(host: HubHost, shards: Sequence[str]) -> list[list[TensorRef]]:
    """The tensors of each shard, read several at a time."""
    stop = threading.Event()
    ranges = Ranges(host.repository, stop, host.locations, host.repository.session.brief)
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="hub-header") as executor:
        waiting = [executor.submit(_header, host, ranges, shard) for shard in shards]
        try:
            return [future.result() for future in waiting]
        finally:
            # the first failure is enough
            stop.set()
            executor.shutdown(wait=False, cancel_futures=True)


def _header(host: HubHost, ranges: Ranges, shard: str) -> list[TensorRef]:
    entry = host.repository.entries[shard]
    file = HubFile(host, shard)
    stamp = FileStamp(entry.size, 0)
    if entry.local:
        with ReadOnlyFile(entry.local, CheckpointError) as local:
            return header_from(local.read, file, stamp)
    head = _Head(entry, ranges)
    refs = header_from(head.read, file, stamp)
    hashed = FileHash(entry)
    hashed.add(0, head.data)
    hashed.compare(0, head.data)
    host.begun[shard] = hashed
    return refs


class _Head:
    """The first bytes of a file, as many as were asked for."""

    def __init__(self, entry: HubEntry, ranges: Ranges) -> None:
        self._entry, self._ranges = entry, ranges
        self.data = memoryview(b"")

    def read(self, offset: int, nbytes: int, what: str) -> bytes:
        """Bytes of the file."""
        end = offset + nbytes
        if end > len(self.data):
            grown = memoryview(bytearray(min(self._entry.size, max(end, FIRST))))
            grown[: len(self.data)] = self.data
            self._ranges.fetch(self._entry, len(self.data), grown[len(self.data) :])
            self.data = grown
        return bytes(self.data[offset:end])
