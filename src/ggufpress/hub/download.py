"""Large files to the library's cache, in its own layout: what breaks off is continued by the next run, and hashed at the end.

A file grows as `blobs/HASH.ggufpress-part` and gets the blob's name when it is whole and its hash is right; the library then
links it into the snapshot.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.file_download import repo_folder_name

from ggufpress.errors import CheckpointError, OutputError, SpaceError
from ggufpress.files import ReadOnlyFile, reason
from ggufpress.hub.hashing import FileHash
from ggufpress.hub.local import verdict
from ggufpress.hub.prefetch import AHEAD, RANGE
from ggufpress.hub.repository import HubEntry, Repository
from ggufpress.source.remote import RemoteFile, RemoteReading

PIECE = RANGE // 2
CHUNK = 1 << 20


def download(
    repository: Repository,
    reading: RemoteReading,
    files: Sequence[RemoteFile],
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Path]:
    """Where each of the files that were not there is in the cache now, by name. `progress` is told of bytes as they
    arrive. `reading` is of nothing else, and closed at the end.

    Raises SpaceError, OutputError, HubError, RepositoryError, or CheckpointError for a file with another hash.
    """
    entries = [(file, repository.entries[file.name]) for file in files]
    missing = [(file, entry) for file, entry in entries if not file.is_here]
    blobs = Path(repository.session.cache) / repo_folder_name(repo_id=repository.id, repo_type="model") / "blobs"
    try:
        _make(blobs, sum(entry.size for _, entry in missing))
        for file, entry in missing:
            _bring(reading, file, entry, blobs / (entry.sha256 or entry.oid or ""), progress)
    finally:
        reading.close()
    return {entry.name: _linked(repository, entry) for _, entry in missing}


def _make(blobs: Path, nbytes: int) -> None:
    try:
        blobs.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(blobs).free
        begun = sum(path.stat().st_size for path in blobs.glob("*.ggufpress-part"))
    except OSError as error:
        raise OutputError(f"{blobs} cannot be made: {reason(error)}", hint="set HF_HOME") from error
    if nbytes > free + begun:
        raise SpaceError(
            f"the Hub's cache has {free:,} bytes free, the model needs {nbytes:,}",
            hint="leave --download out, which needs no space but for the outputs; or set HF_HOME",
        )


def _bring(
    reading: RemoteReading, file: RemoteFile, entry: HubEntry, blob: Path, progress: Callable[[int], None]
) -> None:
    part = blob.with_name(f"{blob.name}.ggufpress-part")
    try:
        with part.open("ab") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"{part} is being written by another process", hint="wait for it") from None
            hash_ = FileHash(entry)
            if stream.tell() > entry.size:
                stream.truncate(0)
            _hash_begun(part, hash_, stream.tell())
            progress(hash_.position)
            for data in _pieces(reading, file, hash_.position):
                stream.write(data)
                hash_.add(hash_.position, data)
                progress(len(data))
            stream.flush()
            os.fsync(stream.fileno())
            _give_its_name(part, blob, hash_)
    except OSError as error:
        raise OutputError(f"{part} cannot be written: {reason(error)}", hint="set HF_HOME to another folder") from error


def _give_its_name(part: Path, blob: Path, hash_: FileHash) -> None:
    try:
        verdict(hash_)
    except CheckpointError:
        part.unlink()
        raise
    os.replace(part, blob)


def _hash_begun(part: Path, hash_: FileHash, size: int) -> None:
    with ReadOnlyFile(part, CheckpointError) as begun:
        for at in range(0, size, CHUNK):
            hash_.add(at, memoryview(begun.read(at, min(CHUNK, size - at), "its bytes")))


def _pieces(reading: RemoteReading, file: RemoteFile, start: int) -> Iterator[memoryview]:
    """The bytes of the file from `start` on, fetched ahead."""
    places = [(at, min(PIECE, file.size - at)) for at in range(start, file.size, PIECE)]
    buffer = memoryview(bytearray(PIECE))
    announced = 0
    for number, (at, nbytes) in enumerate(places):
        while announced < len(places) and (announced - number) * PIECE < AHEAD:
            reading.advise(file, *places[announced])
            announced += 1
        reading.read_into(file, at, buffer[:nbytes], "its bytes")
        yield buffer[:nbytes]


def _linked(repository: Repository, entry: HubEntry) -> Path:
    session = repository.session
    place = session.call(
        # it finds the blob, and links it
        lambda: hf_hub_download(
            repository.id,
            entry.name,
            revision=repository.commit,
            endpoint=session.endpoint,
            cache_dir=session.cache,
            token=session.token,
        ),
        session.asked(repository.id, repository.revision, entry.name),
    )
    return Path(place)
