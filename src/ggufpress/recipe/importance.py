"""Which tensors need importance, which entry of a matrix is theirs, and what becomes of those without.

Source: llama.cpp of llama-cpp-python 0.3.36, src/llama-quant.cpp (`tensor_requires_imatrix`), ggml/src/ggml.c
(`ggml_quantize_requires_imatrix`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ggufpress.arch.ops import Shape
from ggufpress.errors import ImatrixError
from ggufpress.quant.types import (
    IQ1_M,
    IQ1_S,
    IQ2_S,
    IQ2_XS,
    IQ2_XXS,
    IQ3_S,
    IQ3_XXS,
    MXFP4,
    NVFP4,
    Q1_0,
    Q2_0,
    Q2_K,
    Q3_K,
    Q8_0,
    TQ1_0,
    TQ2_0,
    QType,
)  # fmt: skip
from ggufpress.recipe.presets import Preset

NEEDY = (IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS)
"""Types that are poor without importance, so that llama-quantize refuses to make them without."""

IMPOSSIBLE_WITHOUT = (IQ1_S, IQ2_XXS, IQ2_XS)
"""Types whose very search divides by importance."""

INDIFFERENT = (Q8_0, MXFP4, NVFP4, TQ1_0, TQ2_0, Q1_0, Q2_0)
"""Quantized types that are the same with and without importance."""

UPGRADES: dict[QType, QType] = {
    **dict.fromkeys((IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S), Q2_K),
    IQ3_XXS: IQ3_S,
    Q2_K: Q3_K,
}
"""The smallest type of general use that is not smaller and needs no importance. Q2_K counts only where it is needy."""

NEVER_NEEDY = ("token_embd.weight", "per_layer_token_embd.weight", "output.weight")
EMBEDDINGS = NEVER_NEEDY[:2]


def needs_importance(name: str, qtype: QType, preset: Preset) -> bool:
    """Whether llama-quantize refuses to give the tensor this type in a file of `preset` without importance.

    An embedding or output matrix may go without, but for the types that are impossible: those end its process.
    """
    if name in NEVER_NEEDY:
        return qtype in IMPOSSIBLE_WITHOUT
    return qtype in NEEDY or (qtype is Q2_K and preset.name == "Q2_K_S")


def upgraded(name: str, qtype: QType, preset: Preset) -> QType:
    """The type to take instead of `qtype` where there is no importance."""
    while needs_importance(name, qtype, preset):
        qtype = UPGRADES[qtype]
    return qtype


def entry_fits(name: str, shape: Shape, entries: Mapping[str, int]) -> bool:
    """Whether the importance matrix has numbers for a tensor: one per column, or per column of each of its matrices.

    `entries` tells how many numbers each entry has. Raises ImatrixError where the count is another one; a token embedding
    then counts as missing, as in llama-quantize.
    """
    if name not in entries:
        return False
    wanted = shape[-1] * (shape[-3] if len(shape) >= 3 else 1)
    if entries[name] == wanted:
        return True
    if name in EMBEDDINGS:
        return False
    raise ImatrixError(
        f"the importance matrix has {entries[name]:,} numbers for {name}, whose shape {list(shape)} needs {wanted:,}",
        hint="it was made for another model; --exclude-weights leaves entries out",
    )
