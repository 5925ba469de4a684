"""Which type llama.cpp's converter gives a tensor.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`prepare_tensors`).
"""

from __future__ import annotations

import re

from ggufpress.arch.ops import Shape
from ggufpress.presets import Preset
from ggufpress.quant.types import F16, F32
from ggufpress.recipe.decision import Decision

CONVERTER_F32 = ("ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "position_embd.weight", "token_types.weight")
"""Last parts of names that llama.cpp's converter always stores as F32 (conversion/base.py, `prepare_tensors`)."""


def converter_type(name: str, shape: Shape, preset: Preset) -> Decision:
    """The type that llama.cpp's converter gives a tensor under `--outtype`."""
    if len(shape) <= 1:
        return Decision(F32, "one-dimensional tensors stay F32")
    if name.endswith("_norm.weight"):
        return Decision(F32, "norms stay F32")
    if not name.endswith(".weight"):
        return Decision(F32, "only weights are converted")
    if re.sub(r"^blk\.\d+\.", "", name) in CONVERTER_F32:
        return Decision(F32, "routers and embeddings of positions stay F32")
    if not preset.qtype.fits(shape[-1]):
        reason = f"rows of {shape[-1]} are no multiple of {preset.qtype.block}"
        return Decision(F16, f"outtype {preset.name}", f"{preset.qtype} does not fit: {reason}")
    return Decision(preset.qtype, f"outtype {preset.name}")
