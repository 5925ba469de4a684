"""The named mixes that llama-quantize knows, by the names that its users know.

Source: llama.cpp of llama-cpp-python 0.3.36, include/llama.h (`enum llama_ftype`), src/llama-quant.cpp
(`llama_ftype_get_default_type`), tools/quantize/quantize.cpp (aliases).
"""

from __future__ import annotations

from dataclasses import dataclass

from ggufpress.errors import UsageError
from ggufpress.quant.types import (
    BF16,
    F16,
    F32,
    IQ1_M,
    IQ1_S,
    IQ2_S,
    IQ2_XS,
    IQ2_XXS,
    IQ3_S,
    IQ3_XXS,
    IQ4_NL,
    IQ4_XS,
    MXFP4,
    Q1_0,
    Q2_0,
    Q2_K,
    Q3_K,
    Q4_0,
    Q4_1,
    Q4_K,
    Q5_0,
    Q5_1,
    Q5_K,
    Q6_K,
    Q8_0,
    TQ1_0,
    TQ2_0,
    QType,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preset:
    """A named mix. `ftype` is the number in `general.file_type`, `qtype` what most tensors get.

    `needs_imatrix`: some tensors get a type that cannot be made without an importance matrix.
    """

    name: str
    ftype: int
    qtype: QType
    about: str
    needs_imatrix: bool = False

    @property
    def purpose(self) -> str:
        """What it is for, and what it needs."""
        return f"{self.about} (needs an importance matrix)" if self.needs_imatrix else self.about


ALL: tuple[Preset, ...] = (
    Preset("F32", 0, F32, "every weight exactly as in the checkpoint, four bytes each"),
    Preset("F16", 1, F16, "half precision: what most runtimes compute with"),
    Preset("BF16", 32, BF16, "what most models are trained in: lossless for a BF16 checkpoint"),
    Preset("Q8_0", 7, Q8_0, "as good as the original for almost every use"),
    Preset("Q6_K", 18, Q6_K, "very close to the original"),
    Preset("Q5_K_M", 17, Q5_K, "small loss; attention values and half of ffn_down in Q6_K"),
    Preset("Q5_K_S", 16, Q5_K, "small loss; Q5_K throughout"),
    Preset("Q5_1", 9, Q5_1, "plain 5 bits with a minimum: Q5_K_M is usually better"),
    Preset("Q5_0", 8, Q5_0, "plain 5 bits: Q5_K_S is usually better"),
    Preset("Q4_K_M", 15, Q4_K, "the usual choice: attention values and half of ffn_down in Q6_K"),
    Preset("Q4_K_S", 14, Q4_K, "a little smaller than Q4_K_M; the first layers in Q5_K"),
    Preset("IQ4_NL", 25, IQ4_NL, "4 bits on an uneven scale: about Q4_K_S, for rows that do not divide by 256"),
    Preset("IQ4_XS", 30, IQ4_XS, "4 bits on an uneven scale: smaller than Q4_K_S, about as good"),
    Preset("Q4_1", 3, Q4_1, "plain 4 bits with a minimum: Q4_K_M is usually better"),
    Preset("Q4_0", 2, Q4_0, "plain 4 bits: fast on many devices, less precise than Q4_K_S"),
    Preset("MXFP4_MOE", 38, MXFP4, "experts in 4-bit floats, everything else in Q8_0"),
    Preset("Q3_K_L", 13, Q3_K, "noticeable loss; attention and ffn_down in Q5_K"),
    Preset("Q3_K_M", 12, Q3_K, "noticeable loss; attention and ffn_down in Q4_K"),
    Preset("Q3_K_S", 11, Q3_K, "large loss; Q3_K throughout"),
    Preset("IQ3_M", 27, IQ3_S, "3 bits from a grid; attention values and the first ffn_down in Q4_K"),
    Preset("IQ3_S", 26, IQ3_S, "3 bits from a grid: better than Q3_K_S at the same size"),
    Preset("IQ3_XS", 22, IQ3_S, "3 bits from a grid, some tensors in IQ3_XXS", needs_imatrix=True),
    Preset("IQ3_XXS", 23, IQ3_XXS, "3.06 bits from a grid", needs_imatrix=True),
    Preset("Q2_K", 10, Q2_K, "large loss; many tensors in Q3_K and Q4_K"),
    Preset("Q2_K_S", 21, Q2_K, "large loss; Q2_K throughout", needs_imatrix=True),
    Preset("Q2_0", 41, Q2_0, "plain 2 bits, for models trained so"),
    Preset("IQ2_M", 29, IQ2_S, "2.5 bits from a grid; attention in IQ3_S", needs_imatrix=True),
    Preset("IQ2_S", 28, IQ2_XS, "2.3 bits from a grid; attention in IQ3_S", needs_imatrix=True),
    Preset("IQ2_XS", 20, IQ2_XS, "2.3 bits from a grid", needs_imatrix=True),
    Preset("IQ2_XXS", 19, IQ2_XXS, "2.06 bits from a grid", needs_imatrix=True),
    Preset("TQ2_0", 37, TQ2_0, "ternary, for models trained so"),
    Preset("TQ1_0", 36, TQ1_0, "ternary, packed tighter and slower"),
    Preset("IQ1_M", 31, IQ1_M, "1.75 bits from a grid: for experiments", needs_imatrix=True),
    Preset("IQ1_S", 24, IQ1_S, "1.56 bits from a grid: for experiments", needs_imatrix=True),
    Preset("Q1_0", 40, Q1_0, "1 bit, for models trained so"),
)

PRESETS: tuple[Preset, ...] = tuple(preset for preset in ALL if not preset.needs_imatrix)
"""The presets that can be made without an importance matrix."""

BY_NAME = {preset.name: preset for preset in ALL}
ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "FP32": "F32", "FP16": "F16"}
AUTO = "AUTO"
COPY = Preset("COPY", -1, F32, "every tensor in the type it has; only order and keys are llama-quantize's")
"""`general.file_type` stays what it is."""


def preset_named(name: str) -> Preset:
    """The preset called `name`, in any case. Raises UsageError where there is none."""
    key = ALIASES.get(name.upper(), name.upper())
    if key == COPY.name:
        return COPY
    if key not in BY_NAME:
        raise UsageError(
            f"no preset is called {name!r}", hint=f"known presets: {', '.join([AUTO, COPY.name, *BY_NAME])}"
        )
    return BY_NAME[key]
