"""Which types are tested with which inputs and importance."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ggufpress.quant import types
from ggufpress.quant.types import QType
from tests.native import ggml_oracle, inputs
from tests.native.layouts import FIELDS

DEQUANTIZED = tuple(FIELDS)

QUANTIZED = tuple(qtype for qtype in FIELDS if qtype not in (types.Q8_K, types.NVFP4))

ON_GRID = tuple(qtype for qtype in QUANTIZED if qtype.name.startswith(("IQ1", "IQ2", "IQ3")))

USES_IMPORTANCE = (
    *(types.Q4_0, types.Q4_1, types.Q5_0, types.Q5_1, types.Q2_K, types.Q3_K, types.Q4_K, types.Q5_K, types.Q6_K),
    *(types.IQ4_NL, types.IQ4_XS),
    *ON_GRID,
)

NEEDS_IMPORTANCE = (types.IQ2_XXS, types.IQ2_XS, types.IQ1_S)

# ggml aborts where squares of weights overflow.
OVERFLOWING = ("huge", "largest finite", "any bits", "near powers of two")

Case = tuple[QType, str]

CASES: list[Case] = [
    (qtype, family)
    for qtype in QUANTIZED
    for family in inputs.FAMILIES
    if not (qtype in ON_GRID and family in OVERFLOWING)
]


# ggml takes many seconds to prepare these grids; write_grid_blocks.py keeps what it makes of one shape of inputs.
STORED = (types.IQ2_XS, types.IQ2_S, types.IQ1_S, types.IQ1_M)
STORED_SHAPE = (1, 1280)
STORED_BLOCKS = inputs.WEIGHTS.with_name("grid-blocks.npz")


def shape_of(qtype: QType) -> tuple[int, int]:
    """The shape of inputs that expected() knows."""
    return STORED_SHAPE if qtype in STORED else (3, 1792)


@cache
def expected(qtype: QType, family: str, kind: str | None) -> NDArray[np.uint8]:
    """ggml's bytes for inputs.weights(family, *shape_of(qtype)) with the importance of that kind."""
    if qtype in STORED:
        return stored_blocks()[f"{qtype} {family} {kind}"]
    rows, cols = shape_of(qtype)
    importance = None if kind is None else inputs.importance(kind, cols)
    return ggml_oracle.quantize(inputs.weights(family, rows, cols), qtype, importance)


@cache
def stored_blocks() -> dict[str, NDArray[np.uint8]]:
    with np.load(STORED_BLOCKS) as blocks:
        return dict(blocks)


def name_of(value: object) -> str:
    """The name of a parameter in a test's id."""
    return str(value).replace(" ", "_")
