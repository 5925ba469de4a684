"""Is each tensor of a GGUF file what its source says, within what its type can hold?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import exp2, sqrt
from typing import Any

from ggufpress import _native
from ggufpress.arch.registry import describe
from ggufpress.execute.loading import MARGIN, Carver, load, load_bytes
from ggufpress.execute.slabs import slabs, smallest
from ggufpress.gguf.reader import GgufData, GgufFile, GgufTensor
from ggufpress.mapping import Derived, map_tensors
from ggufpress.quant.types import BF16, F16, F32, QType
from ggufpress.recipe import stripped
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.reading import TensorReader

SLAB_BYTES = 4 << 20

LEVELS: Mapping[str, tuple[int, float]] = {
    "Q4_0": (32, 4), "Q4_1": (32, 4), "Q5_0": (32, 5), "Q5_1": (32, 5), "Q8_0": (32, 8), "Q2_K": (16, 2), "Q3_K": (16, 3),
    "Q4_K": (32, 4), "Q5_K": (32, 5), "Q6_K": (16, 6), "IQ4_NL": (32, 3.5), "IQ4_XS": (32, 3.5), "MXFP4": (32, 3),
    "TQ1_0": (256, 1.5), "TQ2_0": (256, 1.5),
}  # fmt: skip
"""How many weights share a scale, and into how many bits of it a weight is rounded (block layouts: ggml-common.h)."""


@dataclass(frozen=True, slots=True)
class TensorError:
    """The error of one tensor. `rmse` and `worst` are absolute, `relative` is `rmse` over the source's root mean square.

    `limit` is the largest `rmse` that rounding to the type explains.
    """

    name: str
    qtype: QType
    rmse: float
    relative: float
    worst: float
    limit: float

    @property
    def ok(self) -> bool:
        """Whether the type explains the error."""
        return self.rmse <= self.limit

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name, "type": self.qtype.name, "rmse": self.rmse, "relative": self.relative,
            "max": self.worst, "limit": self.limit, "ok": self.ok,
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


def compare_with_source(file: GgufFile, checkpoint: Checkpoint, threads: int | None = None) -> Comparison:
    """The error of every tensor of `file` against what `checkpoint` holds. Memory does not depend on the model.

    Raises the errors of reading either side.
    """
    wanted = {tensor.name: tensor for tensor in map_tensors(checkpoint, describe(checkpoint)).tensors}
    found = {tensor.name: tensor for tensor in file.tensors}
    both = [(wanted[name], found[name]) for name in found if name in wanted]
    same = [(source, tensor) for source, tensor in both if stripped(source.shape) == stripped(tensor.shape)]
    with (
        TensorReader() as reader,
        GgufData(file) as data,
        ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as executor,
    ):
        errors = list(executor.map(lambda pair: _error(reader, data, *pair), same))
    return Comparison(
        errors=tuple(
            sorted(errors, key=lambda e: (e.rmse / e.limit if e.limit else float(e.rmse > 0), e.relative), reverse=True)
        ),
        missing=tuple(name for name in wanted if name not in found),
        unexpected=tuple(name for name in found if name not in wanted),
        reshaped=tuple(tensor.name for source, tensor in both if stripped(source.shape) != stripped(tensor.shape)),
    )


def error_limit(qtype: QType, rms: float) -> float:
    """The largest RMSE that rounding weights with root mean square `rms` to `qtype` can give.

    With n weights to a scale and b bits the step is at most 2 amax / 2^b, an error at most half of it, and amax at most
    sqrt(n) rms. Scales are F16: below 2^-24 they vanish and take all 2^b steps with them. Infinite for unknown types.
    """
    if qtype is F32:
        return 0.0
    if qtype is F16:
        return rms * 2.0**-11 + 2.0**-25
    if qtype is BF16:
        return rms * 2.0**-8
    if qtype.name not in LEVELS:
        return float("inf")
    n, bits = LEVELS[qtype.name]
    return rms * sqrt(n) / exp2(bits) + exp2(bits - 24)


def _error(reader: TensorReader, file: GgufData, source: Derived, tensor: GgufTensor) -> TensorError:
    stored, qtype = source.dtype, tensor.qtype
    per_weight = load_bytes(source) + qtype.bpw / 8
    buffer = bytearray(max(SLAB_BYTES, int(smallest(source) * per_weight) + MARGIN))
    squares = source_squares = worst = 0.0
    for slab in slabs(source, int((len(buffer) - MARGIN) / per_weight)):
        carve = Carver(buffer)
        weights = load(reader, source, slab, carve)
        data = carve(slab.elements // qtype.block * qtype.block_bytes)
        file.read_into(tensor, slab.first // qtype.block * qtype.block_bytes, data)
        cols = source.shape[-1] if qtype.quantized else slab.elements
        square, largest, own = _native.error_sums(weights, stored.id, data, qtype.id, cols)
        squares, source_squares, worst = squares + square, source_squares + own, max(worst, largest)
    rmse, rms = sqrt(squares / source.n_params), sqrt(source_squares / source.n_params)
    return TensorError(tensor.name, qtype, rmse, rmse / rms if rms else rmse, worst, error_limit(qtype, rms))
