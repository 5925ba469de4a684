"""What a llama.cpp built with fused multiply-add makes of some tensors of the bundled model (tools/record_fma.py)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.quant.types import QType
from tests.tiny_checkpoints import DATA

FMA = DATA / "weights" / "fma-blocks.npz"
TENSORS = ("blk.0.attn_k.weight", "blk.2.attn_output.weight")
TYPES = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL", "IQ4_XS", "IQ3_S", "IQ2_S")


def ours(weights: NDArray[np.float32], qtype: QType, columns: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """Our blocks of rows of weights: those of a build without FMA."""
    out = np.empty((len(weights), qtype.row_bytes(weights.shape[1])), np.uint8)
    _native.convert(weights, 0, 0, out, qtype.id, weights.shape[1], columns)
    return out.reshape(-1, qtype.block_bytes)


@cache
def fused_blocks(qtype: str, tensor: str, kind: str) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Which blocks of a tensor differ, and what they are; `kind` is empty or imatrix."""
    with np.load(FMA) as found:
        return found[f"{qtype}/{tensor}/{kind}/at"], found[f"{qtype}/{tensor}/{kind}"]
