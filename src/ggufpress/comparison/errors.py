"""What lies between the weights of two sides: RMSE, largest difference and cosine, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan, sqrt
from typing import Any

import numpy as np

from ggufpress import _native
from ggufpress.comparison.sides import Side, tensor_bytes
from ggufpress.errors import CheckpointError, GgufError
from ggufpress.execute.measuring import measured
from ggufpress.execute.paired import PairedReader, PairedSlab, Progress
from ggufpress.gguf.shards import qtype_of
from ggufpress.mapping import Derived
from ggufpress.proof.against import WITHOUT_NUMBERS
from ggufpress.quant.isa import isa_in_use
from ggufpress.quant.types import QType
from ggufpress.recipe.names import layer
from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.reading import TensorReader


@dataclass(frozen=True, slots=True)
class Sums:
    """What adds up over the slabs of a tensor: squares of the difference and of both sides; the largest difference."""

    difference: float = 0.0
    left: float = 0.0
    right: float = 0.0
    worst: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.difference + other.difference,
            self.left + other.left,
            self.right + other.right,
            # a NaN must not get lost
            self.worst if not self.worst < other.worst else other.worst,
        )


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """One tensor on both sides. `sums` is None where the types hold no numbers that can be subtracted.

    `same_bytes`: the same type and the same bytes. `differing_blocks` of `n_blocks` differ, where the type is the same.
    """

    name: str
    shape: tuple[int, ...]
    left: QType
    right: QType
    left_bytes: int
    right_bytes: int
    n_params: int
    same_bytes: bool
    differing_blocks: int | None
    sums: Sums | None

    @property
    def n_blocks(self) -> int:
        """Blocks of the left side; weights, where its type has no blocks."""
        return self.n_params // self.left.block

    @property
    def equal(self) -> bool:
        """Whether both sides stand for the same numbers."""
        return self.same_bytes or (self.sums is not None and self.sums.difference == 0 and isfinite(self.sums.left))

    @property
    def rmse(self) -> float:
        """Root mean square of the difference; infinite where it cannot be told."""
        return 0.0 if self.same_bytes else sqrt(self.sums.difference / self.n_params) if self.sums else inf

    @property
    def relative(self) -> float:
        """`rmse` over the root mean square of the left side."""
        if self.same_bytes or self.sums is None:
            return self.rmse
        if not self.sums.left:
            return inf if self.sums.difference else 0.0
        return sqrt(self.sums.difference / self.sums.left)

    @property
    def worst(self) -> float:
        """The largest difference of two weights."""
        return 0.0 if self.same_bytes else self.sums.worst if self.sums else inf

    @property
    def cosine(self) -> float:
        """Cosine of the angle between both sides as vectors; NaN where one is zero."""
        return 1.0 if self.same_bytes else cosine(self.sums) if self.sums else nan

    @property
    def layer(self) -> int | None:
        """The number of its layer."""
        return None if (number := layer(self.name)) < 0 else number

    @property
    def role(self) -> str:
        """Its name without layer and `.weight`."""
        return role(self.name)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name, "shape": list(self.shape), "left": self.left.name, "right": self.right.name,
            "left_bytes": self.left_bytes, "right_bytes": self.right_bytes, "same_bytes": self.same_bytes,
            "equal": self.equal, "differing_blocks": self.differing_blocks, "rmse": finite(self.rmse),
            "relative": finite(self.relative), "max": finite(self.worst), "cosine": finite(self.cosine),
        }  # fmt: skip


def finite(number: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return number if isfinite(number) else None


def role(name: str) -> str:
    """A tensor's name without its layer and `.weight`.

    Example: `role("blk.3.attn_q.weight") == "attn_q"`
    """
    stem = name.removesuffix(".weight")
    return stem.split(".", 2)[2] if layer(name) >= 0 and stem.count(".") >= 2 else stem


def cosine(sums: Sums) -> float:
    """The cosine that the sums give; NaN where a side is zero."""
    if not sums.left or not sums.right:
        return nan
    # rounding must not give an angle where there is none
    return min(1.0, (sums.left + sums.right - sums.difference) / (2 * sqrt(sums.left) * sqrt(sums.right)))


def differences(
    left: Side, right: Side, names: Sequence[str], threads: int | None = None, progress: Progress | None = None
) -> tuple[TensorDifference, ...]:
    """The difference of each of the tensors `names`, which both sides have in the same shape. At most one is a checkpoint.

    Reads all weights; memory does not depend on the model. Raises the errors of reading either side.
    """
    isa_in_use()
    swapped = right.is_checkpoint
    source, file = (right, left) if swapped else (left, right)
    blocks: dict[str, int] = {}
    sums: dict[str, Sums | None] = {}
    with PairedReader(
        TensorReader(error=CheckpointError if source.is_checkpoint else GgufError),
        TensorReader(error=GgufError),
        threads,
    ) as reader:
        alike = [name for name in names if source.by_name[name].dtype is file.by_name[name].dtype]
        for tensor, count in reader.each(_pairs(reader, source, file, alike), _differing_blocks, progress):
            blocks[tensor.name] = blocks.get(tensor.name, 0) + count
        # tensors with the same bytes have no errors to be measured
        other = [name for name in names if blocks.get(name) != 0]
        for tensor, found in reader.each(_pairs(reader, source, file, other), _sums, progress):
            before = sums.get(tensor.name, Sums())
            sums[tensor.name] = None if found is None or before is None else before + found
    return tuple(
        _difference(left.by_name[name], right.by_name[name], blocks.get(name), sums.get(name), swapped=swapped)
        for name in names
    )


def _pairs(
    reader: PairedReader, source: Side, file: Side, names: Iterable[str]
) -> Iterable[tuple[Derived, TensorRef, QType]]:
    for name in names:
        (ref,) = file.by_name[name].sources
        yield measured(reader.source, source.by_name[name]), ref, qtype_of(ref)


def _differing_blocks(pair: PairedSlab) -> int:
    """How many blocks of the same type are not the same bytes."""
    if pair.source == pair.data:
        return 0
    ours, theirs = (
        np.frombuffer(data, np.uint8).reshape(-1, pair.qtype.block_bytes) for data in (pair.source, pair.data)
    )
    return int((ours != theirs).any(axis=1).sum())


def _sums(pair: PairedSlab) -> Sums | None:
    """The sums of a slab; None for what is no number."""
    stored, qtype = pair.qtypes
    if stored.name in WITHOUT_NUMBERS or qtype.name in WITHOUT_NUMBERS:
        return None
    cols = pair.cols if stored.quantized or qtype.quantized else pair.slab.elements
    difference, worst, left = _native.error_sums(pair.source, stored.id, pair.data, qtype.id, cols)
    right = _native.error_sums(pair.data, qtype.id, pair.source, stored.id, cols)[2]
    return Sums(difference, left, right, worst)


def _difference(
    left: Derived, right: Derived, blocks: int | None, sums: Sums | None, *, swapped: bool
) -> TensorDifference:
    if sums and swapped:
        sums = replace(sums, left=sums.right, right=sums.left)
    return TensorDifference(
        left.name, left.shape, left.dtype, right.dtype, tensor_bytes(left), tensor_bytes(right), left.n_params,
        blocks == 0, blocks, sums,
    )  # fmt: skip
