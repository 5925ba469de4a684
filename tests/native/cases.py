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


@cache
def expected(qtype: QType, family: str, shape: tuple[int, int], kind: str | None) -> NDArray[np.uint8]:
    """ggml's bytes for inputs.weights(family, *shape) with the importance of that kind."""
    importance = None if kind is None else inputs.importance(kind, shape[1])
    return ggml_oracle.quantize(inputs.weights(family, *shape), qtype, importance)


def name_of(value: object) -> str:
    """The name of a parameter in a test's id."""
    return str(value).replace(" ", "_")
