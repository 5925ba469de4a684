"""An audit: every tensor and key of a file, the container around them, and the verdict over all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.auditing.examination import examine
from ggufpress.auditing.findings import KeyFinding, TensorFinding, Verdict
from ggufpress.auditing.keys import examine_keys
from ggufpress.comparison.mix import Mix, mix_of
from ggufpress.comparison.sides import side
from ggufpress.execute.paired import Progress
from ggufpress.gguf.shards import GgufSet
from ggufpress.imatrix.matrix import ImportanceMatrix, check_finite
from ggufpress.planning import Model
from ggufpress.planning.gguf_model import gguf_model
from ggufpress.planning.model import read_model
from ggufpress.proof.structure import Fault, check_structure
from ggufpress.recipe import stripped
from ggufpress.source.checkpoint import Checkpoint

NOT_PROVEN = 5
"""Exit code of an audit that found nothing wrong and could not prove that all is right."""


@dataclass(frozen=True)
class AuditReport:
    """What an audit of `path` against `source` found. `faults` are of the container and of tensors on one side alone.

    `mix` is the recipe that the file's types follow, None where there is none. `imatrix` is the matrix that was given,
    `files` are all shards of the file, `model` is what the source holds.
    """

    path: Path
    source: Path
    imatrix: Path | None
    mix: Mix | None
    tensors: tuple[TensorFinding, ...]
    keys: tuple[KeyFinding, ...]
    faults: tuple[Fault, ...]
    files: tuple[Path, ...]
    model: Model

    @property
    def verdict(self) -> Verdict:
        """The worst of all findings."""
        found = [tensor.verdict for tensor in self.tensors]
        if self.faults or any(key.is_fault for key in self.keys):
            found.append(Verdict.DIFFERENT)
        return max(found, key=lambda verdict: verdict.rank, default=Verdict.DIFFERENT)

    @property
    def derived(self) -> bool:
        """Whether nothing speaks against the source. It may be more or less proven: see `verdict`."""
        return self.verdict is not Verdict.DIFFERENT

    @property
    def exit_code(self) -> int:
        """0 where the file is proven to come from the source, 1 where it does not, 5 where neither is proven."""
        if not self.derived:
            return 1
        return 0 if self.verdict.rank <= Verdict.BUILD.rank else NOT_PROVEN

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many tensors have each verdict, from best to worst."""
        found = Counter(tensor.verdict for tensor in self.tensors)
        return {verdict: found[verdict] for verdict in Verdict if found[verdict]}

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "path": str(self.path), "source": str(self.source), "imatrix": str(self.imatrix) if self.imatrix else None,
            "verdict": self.verdict.name.lower(), "derived": self.derived,
            "counts": {verdict.name.lower(): count for verdict, count in self.counts.items()},
            "mix": self.mix.to_json() if self.mix else None, "faults": [fault.to_json() for fault in self.faults],
            "metadata": [key.to_json() for key in self.keys], "tensors": [tensor.to_json() for tensor in self.tensors],
        }  # fmt: skip


def audit_file(
    file: GgufSet,
    source: Checkpoint | GgufSet,
    importance: ImportanceMatrix | None = None,
    *,
    allowed_keys: Collection[str] = (),
    threads: int | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """The audit of `file`: is it what llama.cpp makes of `source`, by whatever recipe? Writes nothing.

    Reads all of both, in memory that does not depend on them. Raises the errors of reading either side, and WeightError
    where the source's weights cannot be quantized.
    """
    if importance:
        check_finite(importance)
    model = gguf_model(source) if isinstance(source, GgufSet) else read_model(source)
    shapes = {tensor.name: stripped(tensor.shape) for tensor in model.tensors}
    alike = [ref for ref in file.tensors if shapes.get(ref.name) == stripped(ref.shape)]
    faults = [fault for part in file.files for fault in check_structure(part)] + _sets(model, file)
    return AuditReport(
        path=file.path,
        source=model.root,
        imatrix=importance.path if importance else None,
        mix=mix_of(side(file)),
        tensors=tuple(examine(model, alike, importance, threads, progress)),
        keys=examine_keys(model.metadata, file.metadata, allowed_keys),
        faults=tuple(faults),
        files=tuple(part.path for part in file.files),
        model=model,
    )


def _sets(model: Model, file: GgufSet) -> list[Fault]:
    """Tensors that only one side has, or that have another shape."""
    wanted = {tensor.name: stripped(tensor.shape) for tensor in model.tensors}
    found = {ref.name: stripped(ref.shape) for ref in file.tensors}
    faults = [Fault(name, "missing: the source has it") for name in wanted if name not in found]
    faults += [Fault(name, "the source has no such tensor") for name in found if name not in wanted]
    return faults + [
        Fault(name, f"its shape is {list(shape)}, the source's is {list(wanted[name])}")
        for name, shape in found.items()
        if name in wanted and shape != wanted[name]
    ]
