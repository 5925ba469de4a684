"""Which bytes of a block mean what, to name them where two blocks differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ggufpress.quant import types
from ggufpress.quant.types import QType

FIELDS: dict[QType, tuple[tuple[str, int], ...]] = {
    types.F16: (("value", 2),),
    types.BF16: (("value", 2),),
    types.Q4_0: (("d", 2), ("qs", 16)),
    types.Q4_1: (("d", 2), ("m", 2), ("qs", 16)),
    types.Q5_0: (("d", 2), ("qh", 4), ("qs", 16)),
    types.Q5_1: (("d", 2), ("m", 2), ("qh", 4), ("qs", 16)),
    types.Q8_0: (("d", 2), ("qs", 32)),
    types.Q2_K: (("scales", 16), ("qs", 64), ("d", 2), ("dmin", 2)),
    types.Q3_K: (("hmask", 32), ("qs", 64), ("scales", 12), ("d", 2)),
    types.Q4_K: (("d", 2), ("dmin", 2), ("scales", 12), ("qs", 128)),
    types.Q5_K: (("d", 2), ("dmin", 2), ("scales", 12), ("qh", 32), ("qs", 128)),
    types.Q6_K: (("ql", 128), ("qh", 64), ("scales", 16), ("d", 2)),
    types.Q8_K: (("d", 4), ("qs", 256), ("sums", 32)),
    types.IQ4_NL: (("d", 2), ("qs", 16)),
    types.IQ4_XS: (("d", 2), ("scales_h", 2), ("scales_l", 4), ("qs", 128)),
    types.IQ2_XXS: (("d", 2), ("qs", 64)),
    types.IQ2_XS: (("d", 2), ("qs", 64), ("scales", 8)),
    types.IQ2_S: (("d", 2), ("qs", 32), ("signs", 32), ("qh", 8), ("scales", 8)),
    types.IQ3_XXS: (("d", 2), ("qs", 64), ("scales", 32)),
    types.IQ3_S: (("d", 2), ("qs", 64), ("qh", 8), ("signs", 32), ("scales", 4)),
    types.IQ1_S: (("d", 2), ("qs", 32), ("qh", 16)),
    types.IQ1_M: (("qs", 32), ("qh", 16), ("scales", 8)),
    types.Q1_0: (("d", 2), ("qs", 16)),
    types.Q2_0: (("d", 2), ("qs", 16)),
    types.TQ1_0: (("qs", 48), ("qh", 4), ("d", 2)),
    types.TQ2_0: (("qs", 64), ("d", 2)),
    types.MXFP4: (("e", 1), ("qs", 16)),
    types.NVFP4: (("d", 4), ("qs", 32)),
}


def offset_of(qtype: QType, field: str) -> int:
    """Where in a block a field starts."""
    names = [name for name, _ in FIELDS[qtype]]
    return sum(size for _, size in FIELDS[qtype][: names.index(field)])


def half_scales(qtype: QType) -> list[int]:
    """Offsets of the half floats of a block, which must be finite."""
    return [offset_of(qtype, name) for name, size in FIELDS[qtype] if name in ("d", "dmin", "m") and size == 2]


def first_difference(made: NDArray[np.uint8], wanted: NDArray[np.uint8], qtype: QType) -> str | None:
    """Names the first byte where two runs of blocks differ, or None."""
    made, wanted = made.reshape(-1, qtype.block_bytes), wanted.reshape(-1, qtype.block_bytes)
    assert made.shape == wanted.shape
    if np.array_equal(made, wanted):
        return None
    block, offset = (int(i) for i in np.argwhere(made != wanted)[0])
    start = 0
    for name, size in FIELDS[qtype]:
        if offset < start + size:
            blocks = int((made != wanted).any(axis=1).sum())
            return (
                f"{qtype} block {block} field {name}[{offset - start}]: {made[block, offset]} where ggml has "
                f"{wanted[block, offset]} ({blocks} of {len(made)} blocks differ)"
            )
        start += size
    raise AssertionError(f"the fields of {qtype} do not cover byte {offset}")
