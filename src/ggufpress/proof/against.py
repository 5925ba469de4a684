"""Is each tensor of a GGUF file what its source says, within what its type can hold?"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import exp2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.arch.registry import describe
from ggufpress.errors import CheckpointError, GgufError
from ggufpress.execute.loading import MARGIN, Carver, load, load_bytes
from ggufpress.execute.measuring import measured
from ggufpress.execute.slabs import slabs, smallest
from ggufpress.gguf.shards import GgufSet, qtype_of
from ggufpress.mapping import Derived, map_tensors
from ggufpress.planning.gguf_model import gguf_tensors
from ggufpress.quant.isa import isa_in_use
from ggufpress.quant.types import BF16, F16, F32, QType
from ggufpress.recipe import stripped
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from ggufpress.source.reading import TensorReader

SLAB_BYTES = 4 << 20

LEVELS: Mapping[str, tuple[int, float]] = {
    "Q4_0": (32, 4), "Q4_1": (32, 4), "Q5_0": (32, 5), "Q5_1": (32, 5), "Q8_0": (32, 8), "Q2_K": (16, 2), "Q3_K": (16, 3),
    "Q4_K": (32, 4), "Q5_K": (32, 5), "Q6_K": (16, 6), "IQ4_NL": (32, 3.5), "IQ4_XS": (32, 3.5), "MXFP4": (32, 3),
    "TQ1_0": (256, 1.5), "TQ2_0": (256, 1.5),
}  # fmt: skip
"""How many weights share a scale, and into how many bits of it a weight is rounded (block layouts: ggml-common.h)."""


WITHOUT_NUMBERS = ("I8", "I16", "I32", "I64", "F64", "Q8_K")
"""Types that the kernels do not read: their tensors are compared byte by byte."""

SAFETY = 1.5
"""Scales of K-quants are themselves rounded, which the estimate leaves out."""


@dataclass(frozen=True, slots=True)
class TensorError:
    """The error of one tensor. `rmse` and `worst` are absolute, `relative` is `rmse` over the source's root mean square.

    `excess` is the largest error of a row over what rounding to the type explains, `row` the number of that row: above 1
    the row is not what the source says.
    """

    name: str
    qtype: QType
    rmse: float
    relative: float
    worst: float
    excess: float
    row: int

    @property
    def ok(self) -> bool:
        """Whether the type explains the error of every row."""
        return self.excess <= 1

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name, "type": self.qtype.name, "rmse": self.rmse, "relative": self.relative,
            "max": self.worst, "excess": self.excess, "row": self.row, "ok": self.ok,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file against its source: errors, worst first, and the names that only one side has."""

    errors: tuple[TensorError, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the file has all tensors of the source, and each within its type's error."""
        return not (self.missing or self.unexpected or self.reshaped) and all(error.ok for error in self.errors)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "ok": self.ok, "missing": list(self.missing), "unexpected": list(self.unexpected),
            "reshaped": list(self.reshaped), "tensors": [error.to_json() for error in self.errors],
        }  # fmt: skip


def compare_with_source(file: GgufSet, source: Checkpoint | GgufSet, threads: int | None = None) -> Comparison:
    """The error of every tensor of `file` against what `source` holds. Memory does not depend on the model.

    Raises the errors of reading either side.
    """
    isa_in_use()
    wanted = {tensor.name: tensor for tensor in _source_tensors(source)}
    found = {tensor.name: tensor for tensor in file.tensors}
    both = [(wanted[name], found[name]) for name in found if name in wanted]
    same = [(source, tensor) for source, tensor in both if stripped(source.shape) == stripped(tensor.shape)]
    with (
        TensorReader(error=GgufError if isinstance(source, GgufSet) else CheckpointError) as reader,
        TensorReader(error=GgufError) as data,
        ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as executor,
    ):
        errors = list(executor.map(lambda pair: _error(reader, data, *pair), same))
    return Comparison(
        errors=tuple(sorted(errors, key=lambda error: (error.ok, -error.relative, error.name))),
        missing=tuple(name for name in wanted if name not in found),
        unexpected=tuple(name for name in found if name not in wanted),
        reshaped=tuple(tensor.name for source, tensor in both if stripped(source.shape) != stripped(tensor.shape)),
    )


def error_limits(qtype: QType, rms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest RMSE that rounding rows with these root mean squares to `qtype` explains.

    With n weights to a scale and b bits the step is at most 2 amax / 2^b, an error at most half of it, and amax at most
    sqrt(n) rms. Scales are F16: below 2^-24 they vanish and take all 2^b steps with them. Infinite for unknown types.
    """
    if qtype is F32:
        return np.zeros_like(rms)
    if qtype is F16:
        return rms * 2.0**-11 + 2.0**-25
    if qtype is BF16:
        return rms * 2.0**-8
    if qtype.name not in LEVELS:
        return np.full_like(rms, np.inf)
    n, bits = LEVELS[qtype.name]
    return SAFETY * (rms * sqrt(n) / exp2(bits) + exp2(bits - 24))


def _source_tensors(source: Checkpoint | GgufSet) -> Sequence[Derived]:
    if isinstance(source, GgufSet):
        return gguf_tensors(source)
    return map_tensors(source, describe(source)).tensors


def _error(reader: TensorReader, file: TensorReader, source: Derived, tensor: TensorRef) -> TensorError:
    source = measured(reader, source)
    stored, qtype = source.dtype, qtype_of(tensor)
    if stored.name in WITHOUT_NUMBERS or qtype.name in WITHOUT_NUMBERS:
        excess = 0.0 if _same_bytes(reader, file, source, tensor) else np.inf
        return TensorError(tensor.name, qtype, excess, excess, excess, excess, 0)
    cols = source.shape[-1] if len(source.shape) > 1 else source.n_params
    # besides the bytes of both sides: their values and the difference, in float32 and float64
    per_weight = load_bytes(source) + qtype.bpw / 8 + 24
    buffer = bytearray(max(SLAB_BYTES, int(smallest(source) * per_weight) + MARGIN))
    squares = source_squares = worst = excess = 0.0
    worst_row = 0
    for slab in slabs(source, int((len(buffer) - MARGIN) / per_weight)):
        carve = Carver(buffer)
        weights = load(reader, source, slab, carve)
        data = carve(qtype.row_bytes(slab.elements))
        file.read_into(tensor, qtype.row_bytes(slab.first), data)
        width = min(cols, slab.elements)
        ours = _values(weights, stored, slab.elements, width).reshape(-1, width)
        difference = ours - _values(data, qtype, slab.elements, width).reshape(-1, width)
        row_errors, row_squares = (np.einsum("ij,ij->i", x, x) for x in (difference, ours))
        limits = error_limits(qtype, np.sqrt(row_squares / width))
        over = _ratio(np.sqrt(row_errors / width), limits)
        if (top := float(over.max())) > excess:
            excess, worst_row = top, slab.first // cols + int(over.argmax())
        squares, source_squares = squares + float(row_errors.sum()), source_squares + float(row_squares.sum())
        worst = max(worst, float(np.abs(difference).max()))
    rmse, rms = sqrt(squares / source.n_params), sqrt(source_squares / source.n_params)
    return TensorError(tensor.name, qtype, rmse, rmse / rms if rms else rmse, worst, excess, worst_row)


def _same_bytes(reader: TensorReader, file: TensorReader, source: Derived, tensor: TensorRef) -> bool:
    (ref,) = source.sources
    if (ref.dtype, ref.nbytes) != (tensor.dtype, tensor.nbytes):
        return False
    left, right = memoryview(bytearray(SLAB_BYTES)), memoryview(bytearray(SLAB_BYTES))
    for at in range(0, ref.nbytes, SLAB_BYTES):
        size = min(SLAB_BYTES, ref.nbytes - at)
        reader.read_into(ref, at, left[:size])
        file.read_into(tensor, at, right[:size])
        if left[:size] != right[:size]:
            return False
    return True


def _values(data: memoryview, qtype: QType, count: int, cols: int = 0) -> NDArray[np.float64]:
    values = np.empty(count, np.float32)
    _native.dequantize(data, qtype.id, values, cols or count)
    return values.astype(np.float64)


def _ratio(errors: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Error over limit; where nothing is allowed, 0 for no error and infinite for any."""
    exact = np.where(errors > 0, np.inf, 0.0)
    ratio: NDArray[np.float64] = np.divide(errors, limits, out=exact, where=limits > 0)
    # not-a-number on either side explains nothing
    return np.where(np.isnan(ratio), np.inf, ratio)
