"""Carrying out a split or a merge: copy in slabs, read back, and give all files their names at the end."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.errors import GgufError
from ggufpress.execute.partfile import PartFile, allow_open_files, check_space, commit_together
from ggufpress.execute.recheck import ReadBack
from ggufpress.shards.planning import CopiedFile, SplitPlan
from ggufpress.source.reading import TensorReader

SLAB_BYTES = 4 << 20

Progress = Callable[[int, str], None]
"""Called with bytes just copied and the name of the tensor."""


@dataclass(frozen=True, slots=True)
class CopiedShard:
    """One finished file."""

    path: Path
    nbytes: int
    n_tensors: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"path": str(self.path), "bytes": self.nbytes, "tensors": self.n_tensors, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a split or a merge made, and how long it took in seconds."""

    files: tuple[CopiedShard, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"files": [file.to_json() for file in self.files], "seconds": round(self.seconds, 3)}


def copy(plan: SplitPlan, *, force: bool = False, progress: Progress | None = None) -> CopyReport:
    """Write the files of `plan`. They appear together, when all are complete and were read back without a fault.

    On any error, and on KeyboardInterrupt, nothing is left behind. Raises OutputError where a file exists and not
    `force`, SpaceError, GgufError where a source fails or has changed, VerifyError.
    """
    started = time.perf_counter()
    buffer = memoryview(bytearray(SLAB_BYTES))
    with ExitStack() as stack:
        allow_open_files(len(plan.files))
        reader = stack.enter_context(TensorReader(error=GgufError))
        parts = [stack.enter_context(PartFile(file.path, file.file_bytes, force=force)) for file in plan.files]
        check_space(parts)
        for part in parts:
            part.reserve()
        digests = [
            _copy_file(file, part, reader, buffer, progress) for file, part in zip(plan.files, parts, strict=True)
        ]
        commit_together(parts)
    files = [
        CopiedShard(file.path, file.file_bytes, len(file.tensors), digest)
        for file, digest in zip(plan.files, digests, strict=True)
    ]
    return CopyReport(tuple(files), time.perf_counter() - started)


def _copy_file(
    file: CopiedFile, part: PartFile, reader: TensorReader, buffer: memoryview, progress: Progress | None
) -> str:
    """Write one file and read it back; its sha256."""
    part.write_at(0, file.header)
    with ReadBack([(part.path, file)]) as check:
        for tensor in file.tensors:
            digest = hashlib.sha256()
            start = len(file.header) + tensor.offset
            for at in range(0, tensor.nbytes, SLAB_BYTES):
                slab = buffer[: min(SLAB_BYTES, tensor.nbytes - at)]
                reader.read_into(tensor.source, at, slab)
                digest.update(slab)
                part.write_at(start + at, slab)
                if progress:
                    progress(slab.nbytes, tensor.name)
            check.finished(tensor.name, digest.hexdigest())
        part.sync()
        return check.result()[0]
