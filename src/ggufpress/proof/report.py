"""One file checked: its structure, its blocks, and its error against the source where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.gguf.shards import GgufSet, read_gguf_set
from ggufpress.proof.against import Comparison, compare_with_source
from ggufpress.proof.blocks import check_blocks
from ggufpress.proof.structure import Fault, check_structure
from ggufpress.provenance.checking import check_manifest
from ggufpress.provenance.manifests import Manifest
from ggufpress.source.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What checking `path`, or the shards of which it is one, found.

    `faults` is empty where structure and blocks are sound, and the file is that of `manifest` if there is one. `n_files`,
    `n_tensors` and `file_bytes` count all shards.
    """

    path: Path
    n_files: int
    n_tensors: int
    file_bytes: int
    faults: tuple[Fault, ...]
    comparison: Comparison | None
    manifest: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and (self.comparison is None or self.comparison.ok)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "files": self.n_files,
            "tensors": self.n_tensors,
            "bytes": self.file_bytes,
            "faults": [fault.to_json() for fault in self.faults],
            "manifest": str(self.manifest) if self.manifest else None,
            "against": self.comparison.to_json() if self.comparison else None,
        }


def verify_file(
    path: Path,
    source: Checkpoint | GgufSet | None = None,
    threads: int | None = None,
    manifest: Manifest | None = None,
) -> VerifyReport:
    """The report on the GGUF file at `path`; on the whole set where it is a shard.

    Raises GgufError where it cannot be parsed at all, or other shards are missing.
    """
    found = read_gguf_set(path)
    faults = [
        Fault(fault.name, f"{fault.message} (in {file.path.name})" if found.is_split else fault.message)
        for file in found.files
        for fault in (*check_structure(file), *check_blocks(file, threads))
    ]
    if manifest:
        faults += check_manifest(found, manifest, threads)
    comparison = compare_with_source(found, source, threads) if source else None
    n_tensors, file_bytes = len(found.tensors), sum(file.file_size for file in found.files)
    listed = manifest.path if manifest else None
    return VerifyReport(path, len(found.files), n_tensors, file_bytes, tuple(faults), comparison, listed)
