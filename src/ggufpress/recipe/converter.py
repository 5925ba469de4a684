"""Which type llama.cpp's converter gives a tensor.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`prepare_tensors`).
"""

from __future__ import annotations

import re

from ggufpress.arch.ops import Shape
from ggufpress.quant.types import F16, F32
from ggufpress.recipe.decision import Decision
from ggufpress.recipe.presets import Preset

CONVERTER_F32 = (
    "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "position_embd.weight", "token_types.weight", "ssm_conv1d.weight",
    "ssm_conv1d_q.weight", "ssm_conv1d_k.weight", "ssm_conv1d_v.weight", "shortconv.conv.weight", "time_mix_first.weight",
    "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight", "altup_correct_coef.weight", "altup_predict_coef.weight",
)  # fmt: skip
"""Last parts of names that llama.cpp's converter always stores as F32."""


def converter_type(name: str, shape: Shape, preset: Preset, as_f32: bool | None = None) -> Decision:
    """The type that llama.cpp's converter gives a tensor under `--outtype`. `as_f32`: the class decides, not the name."""
    if why := _kept_as_f32(name, shape, as_f32):
        return Decision(F32, why)
    if not preset.qtype.fits(shape[-1]):
        reason = f"rows of {shape[-1]} are no multiple of {preset.qtype.block}"
        return Decision(F16, f"outtype {preset.name}", f"{preset.qtype} does not fit: {reason}")
    return Decision(preset.qtype, f"outtype {preset.name}")


def _kept_as_f32(name: str, shape: Shape, as_f32: bool | None) -> str | None:
    if len(shape) <= 1:
        return "one-dimensional tensors stay F32"
    if name.endswith("_norm.weight"):
        return "norms stay F32"
    if as_f32 is not None:
        return "this class of models keeps it as F32" if as_f32 else None
    if not name.endswith((".weight", ".lora_a", ".lora_b")):
        return "only weights are converted"
    if re.sub(r"^blk\.\d+\.", "", name) in CONVERTER_F32:
        return "routers and embeddings of positions stay F32"
    return None
