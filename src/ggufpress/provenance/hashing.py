"""Hashes of files and of the tensors in them, in bounded memory, several at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ggufpress.errors import GgufError, InputError
from ggufpress.files import file_sha256
from ggufpress.gguf.shards import GgufSet
from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.reading import TensorReader

CHUNK = 1 << 20


def files_sha256(paths: Sequence[Path], error: type[InputError] = GgufError, threads: int | None = None) -> list[str]:
    """The sha256 of each file, as many at a time as there are threads."""
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as executor:
        return list(executor.map(lambda path: file_sha256(path, error), paths))


def tensors_sha256(file: GgufSet, threads: int | None = None) -> dict[str, str]:
    """The sha256 of each tensor's bytes, by name. Raises GgufError where the file cannot be read or has changed."""
    with (
        TensorReader(error=GgufError) as reader,
        ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as executor,
    ):
        digests = executor.map(lambda ref: _tensor_sha256(reader, ref), file.tensors)
        return {ref.name: digest for ref, digest in zip(file.tensors, digests, strict=True)}


def _tensor_sha256(reader: TensorReader, ref: TensorRef) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(min(CHUNK, max(1, ref.nbytes))))
    for at in range(0, ref.nbytes, CHUNK):
        chunk = buffer[: min(CHUNK, ref.nbytes - at)]
        reader.read_into(ref, at, chunk)
        digest.update(chunk)
    return digest.hexdigest()
