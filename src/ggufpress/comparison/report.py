"""Two files compared, or a file and its source: everything that differs, and what that means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ggufpress.arch.ops import Shape
from ggufpress.comparison.errors import TensorDifference, differences
from ggufpress.comparison.keys import KeyComparison, compare_keys
from ggufpress.comparison.mix import Mix, mix_of
from ggufpress.comparison.sides import IMATRIX, OF_AN_OUTPUT, Side, side
from ggufpress.comparison.summary import by_layer, by_role, type_changes, types_used
from ggufpress.comparison.verdict import verdict
from ggufpress.errors import UsageError
from ggufpress.execute.paired import Progress
from ggufpress.gguf.shards import GgufSet
from ggufpress.recipe import stripped
from ggufpress.source.checkpoint import Checkpoint


@dataclass(frozen=True)
class FileComparison:
    """What differs between `left` and `right`. At most one is a checkpoint: then weights are compared after its ops.

    `removed` and `added` are names of tensors that only the left or the right one has, `reshaped` those of other shapes,
    `tensors` all others. `tensor_order` is the first one in another place, None where the order is the same; so it is
    for a checkpoint, which has no order of its own.
    """

    left: Side
    right: Side
    keys: KeyComparison
    removed: tuple[str, ...]
    added: tuple[str, ...]
    reshaped: tuple[tuple[str, Shape, Shape], ...]
    tensor_order: str | None
    tensors: tuple[TensorDifference, ...]

    @property
    def against_checkpoint(self) -> bool:
        """Whether one side is a checkpoint."""
        return self.left.is_checkpoint or self.right.is_checkpoint

    @property
    def equal(self) -> bool:
        """Whether both hold the same keys and the same tensors in the same order, types and bytes."""
        same = all(t.equal if self.against_checkpoint else t.same_bytes for t in self.tensors)
        order = self.against_checkpoint or (self.keys.moved is None and self.tensor_order is None)
        return self.keys.equal and order and same and not (self.removed or self.added or self.reshaped)

    @cached_property
    def left_mix(self) -> Mix | None:
        """The preset that explains the left file's types."""
        return mix_of(self.left)

    @cached_property
    def right_mix(self) -> Mix | None:
        """The preset that explains the right file's types."""
        return mix_of(self.right)

    @cached_property
    def verdict(self) -> tuple[str, ...]:
        """Why they differ, in short clauses."""
        return verdict(self)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        sides = ((self.left, self.left_mix), (self.right, self.right_mix))
        left, right = (
            {
                "path": str(side.path), "kind": "checkpoint" if side.is_checkpoint else "gguf", "files": side.n_shards,
                "tensors": len(side.tensors), "data_bytes": side.data_bytes,
                "types": {qtype.name: n for qtype, n in types_used(t.dtype for t in side.tensors)},
                "mix": mix.to_json() if mix else None,
            }
            for side, mix in sides
        )  # fmt: skip
        return {
            "equal": self.equal,
            "verdict": list(self.verdict),
            "left": left,
            "right": right,
            "metadata": self.keys.to_json(),
            "removed": list(self.removed),
            "added": list(self.added),
            "reshaped": [{"name": n, "left": list(ours), "right": list(theirs)} for n, ours, theirs in self.reshaped],
            "same_order": self.tensor_order is None,
            "first_moved": self.tensor_order,
            "type_changes": [
                {"left": ours.name, "right": theirs.name, "tensors": n}
                for ours, theirs, n in type_changes(self.tensors)
            ],
            "layers": [group.to_json() for group in by_layer(self.tensors)],
            "roles": [group.to_json() for group in by_role(self.tensors)],
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }


def compare_sources(
    left: Checkpoint | GgufSet,
    right: Checkpoint | GgufSet,
    threads: int | None = None,
    progress: Progress | None = None,
) -> FileComparison:
    """The comparison of two GGUF files, or of one with a checkpoint. Reads all weights that may differ, in bounded memory.

    Raises UsageError for two checkpoints, and the errors of reading either side.
    """
    if isinstance(left, Checkpoint) and isinstance(right, Checkpoint):
        raise UsageError(
            "both are checkpoints, and at least one GGUF file is needed", hint="ggufpress quantize makes one"
        )
    ours, theirs = side(left), side(right)
    common = [name for name in ours.by_name if name in theirs.by_name]
    same = [name for name in common if _shape(ours, name) == _shape(theirs, name)]
    checkpoint = ours.is_checkpoint or theirs.is_checkpoint
    return FileComparison(
        left=ours,
        right=theirs,
        keys=compare_keys(ours.metadata, theirs.metadata, _of_an_output(ours, theirs) if checkpoint else ()),
        removed=tuple(name for name in ours.by_name if name not in theirs.by_name),
        added=tuple(name for name in theirs.by_name if name not in ours.by_name),
        reshaped=tuple((n, _shape(ours, n), _shape(theirs, n)) for n in common if _shape(ours, n) != _shape(theirs, n)),
        tensor_order=None if checkpoint else _moved(common, [name for name in theirs.by_name if name in ours.by_name]),
        tensors=differences(ours, theirs, same, threads, progress),
    )


def _of_an_output(*sides: Side) -> list[str]:
    """Keys that say how a file was made, which a checkpoint cannot say."""
    imatrix = [key for side in sides for key in side.metadata if key.startswith(IMATRIX)]
    return [*OF_AN_OUTPUT, *imatrix]


def _shape(of: Side, name: str) -> Shape:
    return stripped(of.by_name[name].shape)


def _moved(left: list[str], right: list[str]) -> str | None:
    return next((ours for ours, theirs in zip(left, right, strict=True) if ours != theirs), None)
