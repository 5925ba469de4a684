"""Is every number of a GGUF file a number? Scales and plain weights must not be NaN or infinite.

The checks are those of llama.cpp's `--check-tensors` (TREE ggml/src/ggml-quants.c, `ggml_validate_row_data`). Where a
block's scales lie: TREE ggml/src/ggml-common.h.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ggufpress.gguf.reader import GgufData, GgufFile, GgufTensor
from ggufpress.proof.structure import Fault
from ggufpress.quant.types import QType

Bytes: TypeAlias = npt.NDArray[np.uint8]
Found: TypeAlias = tuple[int, int | None]
"""How many blocks are broken, and the number of the first."""

SLAB_BYTES = 4 << 20

EXPONENTS: Mapping[str, tuple[str, int]] = {
    "F16": ("<u2", 0x7C00), "BF16": ("<u2", 0x7F80), "F32": ("<u4", 0x7F80_0000), "Q8_K": ("<u4", 0x7F80_0000),
}  # fmt: skip
"""For a number at the start of each block: how wide it is, and the exponent bits, all ones in NaN and infinity."""

F16_SCALES: Mapping[str, tuple[int, ...]] = {
    "Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,), "Q1_0": (0,), "Q2_0": (0,),
    "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,), "TQ1_0": (52,), "TQ2_0": (64,),
    "IQ1_S": (0,), "IQ2_XXS": (0,), "IQ2_XS": (0,), "IQ2_S": (0,), "IQ3_XXS": (0,), "IQ3_S": (0,), "IQ4_NL": (0,),
    "IQ4_XS": (0,),
}  # fmt: skip
"""In which bytes of a block its F16 scales and minima start."""


def check_blocks(file: GgufFile, threads: int | None = None) -> tuple[Fault, ...]:
    """A fault for each tensor that holds a NaN or an infinity, in file order. Reads the whole file, in slabs.

    Raises GgufError where the file cannot be read or has changed.
    """
    checked = [tensor for tensor in file.tensors if tensor.nbytes and checker(tensor.qtype)]
    slabs = [(tensor, first) for tensor in checked for first in range(0, tensor.nbytes, _step(tensor.qtype))]
    broken: dict[str, Found] = {}
    with GgufData(file) as data, ThreadPoolExecutor(threads or len(os.sched_getaffinity(0))) as executor:
        results = executor.map(partial(_check_slab, data), slabs)
        for (tensor, _), (count, first) in zip(slabs, results, strict=True):
            before, earliest = broken.get(tensor.name, (0, None))
            broken[tensor.name] = (before + count, first if earliest is None else earliest)
    return tuple(_fault(tensor, *broken[tensor.name]) for tensor in checked if broken[tensor.name][0])


def checker(qtype: QType) -> Callable[[Bytes], npt.NDArray[np.bool_]] | None:
    """What tells for blocks of `qtype`, given as (n, block_bytes) bytes, which are broken. None: none can be."""
    if qtype.name in EXPONENTS:
        return partial(_exponent_is_full, *EXPONENTS[qtype.name])
    if qtype.name in F16_SCALES:
        return partial(_scales_are_full, F16_SCALES[qtype.name])
    return {"IQ1_M": _iq1_m_scale_is_full, "MXFP4": _e8m0_is_nan, "F64": _is_no_float}.get(qtype.name)


def _step(qtype: QType) -> int:
    return SLAB_BYTES // qtype.block_bytes * qtype.block_bytes


def _check_slab(data: GgufData, slab: tuple[GgufTensor, int]) -> Found:
    tensor, first = slab
    buffer = np.empty(min(_step(tensor.qtype), tensor.nbytes - first), np.uint8)
    data.read_into(tensor, first, buffer.data)
    check = checker(tensor.qtype)
    assert check is not None
    broken = check(buffer.reshape(-1, tensor.qtype.block_bytes))
    count = int(np.count_nonzero(broken))
    return count, first // tensor.qtype.block_bytes + int(np.argmax(broken)) if count else None


def _fault(tensor: GgufTensor, count: int, first: int | None) -> Fault:
    n_blocks = tensor.nbytes // tensor.qtype.block_bytes
    thing = "blocks have a scale that is" if tensor.qtype.quantized else "weights are"
    return Fault(tensor.name, f"{count:,} of {n_blocks:,} {thing} NaN or infinite, the first is number {first:,}")


def _full(words: npt.NDArray[Any], exponent: int) -> npt.NDArray[np.bool_]:
    """Whether all bits of `exponent` are set."""
    mask = words.dtype.type(exponent)
    full: npt.NDArray[np.bool_] = np.equal(words & mask, mask)
    return full


def _exponent_is_full(kind: str, exponent: int, blocks: Bytes) -> npt.NDArray[np.bool_]:
    words = blocks[:, : np.dtype(kind).itemsize].view(kind)[:, 0]
    return _full(words, exponent)


def _scales_are_full(places: tuple[int, ...], blocks: Bytes) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(blocks), np.bool_)
    for at in places:
        found |= _full(blocks[:, at : at + 2].view("<u2")[:, 0], 0x7C00)
    return found


def _iq1_m_scale_is_full(blocks: Bytes) -> npt.NDArray[np.bool_]:
    # the F16 scale of a super-block is cut into the top four bits of the four words of its block scales
    return _full(blocks[:, 55] & 0xF0 | blocks[:, 53] >> 4, 0x7C)


def _e8m0_is_nan(blocks: Bytes) -> npt.NDArray[np.bool_]:
    return np.equal(blocks[:, 0], 0xFF)


def _is_no_float(blocks: Bytes) -> npt.NDArray[np.bool_]:
    # as in ggml, where even a finite F64 is broken if no F32 can hold it
    with np.errstate(over="ignore", invalid="ignore"):
        return np.logical_not(np.isfinite(blocks.view("<f8")[:, 0].astype(np.float32)))
