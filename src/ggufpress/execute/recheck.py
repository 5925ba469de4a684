"""Reading a written file again, before it gets its name: the header parses to what was planned, every tensor's bytes hash
to what was computed, and nothing stands between them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from pathlib import Path

from ggufpress.errors import GgufError, VerifyError
from ggufpress.execute.pipeline import WrittenTensor
from ggufpress.gguf.reader import read_gguf
from ggufpress.planning import OutputPlan

CHUNK = 1 << 20


def sha256_of(path: Path, start: int = 0, length: int | None = None) -> str:
    """The sha256 of `length` bytes of a file from `start` on (by default to its end), in hexadecimal."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as stream:
        stream.seek(start)
        left = os.fstat(stream.fileno()).st_size - start if length is None else length
        while left > 0:
            count = stream.readinto(buffer[: min(left, CHUNK)])
            if not count:
                raise VerifyError(f"{path} ends {left:,} bytes early")
            digest.update(buffer[:count])
            left -= count
    return digest.hexdigest()


def _start_of(path: Path, length: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(length)


def recheck(path: Path, output: OutputPlan, written: Mapping[str, WrittenTensor], executor: Executor) -> str:
    """The sha256 of the whole file at `path`, once all of it is what `output` and `written` say.

    Tensors are hashed on `executor`. Raises VerifyError that names the first tensor that differs.
    """
    whole = executor.submit(sha256_of, path)
    hashes: list[tuple[str, Future[str]]] = []
    try:
        found = read_gguf(path)
        if found.file_size != output.file_bytes:
            raise VerifyError(f"{path} has {found.file_size:,} bytes, {output.file_bytes:,} were planned")
        if _start_of(path, len(output.header)) != output.header:
            raise VerifyError(f"{path}: the header read back is not what was written")
        for tensor, planned in zip(found.tensors, output.tensors, strict=True):
            place = (tensor.name, tensor.shape, tensor.qtype, tensor.offset, tensor.nbytes)
            if place != (
                planned.name,
                planned.shape,
                planned.qtype,
                len(output.header) + planned.offset,
                planned.nbytes,
            ):
                raise VerifyError(f"{path}: {planned.name} is not where it was planned")
            hashes.append((tensor.name, executor.submit(sha256_of, path, tensor.offset, tensor.nbytes)))
        for name, digest in hashes:
            if digest.result() != written[name].sha256:
                raise VerifyError(
                    f"{path}: the bytes of {name} read back are not those that were computed",
                    hint="the disk or the memory of this machine is at fault; nothing was kept",
                )
        return whole.result()
    except (GgufError, ValueError) as error:
        raise VerifyError(f"{path}: the header read back is not what was written: {error}") from error
    finally:
        for _, digest in hashes:
            digest.cancel()
