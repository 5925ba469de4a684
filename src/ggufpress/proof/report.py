"""One file checked: its structure, its blocks, and its error against the source where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.gguf.reader import read_gguf
from ggufpress.proof.against import Comparison, compare_with_source
from ggufpress.proof.blocks import check_blocks
from ggufpress.proof.structure import Fault, check_structure
from ggufpress.source.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What checking `path` found. `faults` is empty where structure and blocks are sound."""

    path: Path
    n_tensors: int
    file_bytes: int
    faults: tuple[Fault, ...]
    comparison: Comparison | None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and (self.comparison is None or self.comparison.ok)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "tensors": self.n_tensors,
            "bytes": self.file_bytes,
            "faults": [fault.to_json() for fault in self.faults],
            "against": self.comparison.to_json() if self.comparison else None,
        }


def verify_file(path: Path, source: Checkpoint | None = None, threads: int | None = None) -> VerifyReport:
    """The report on the GGUF file at `path`. Raises GgufError where it cannot be parsed at all."""
    file = read_gguf(path)
    faults = (*check_structure(file), *check_blocks(file, threads))
    comparison = compare_with_source(file, source, threads) if source else None
    return VerifyReport(path, len(file.tensors), file.file_size, faults, comparison)
