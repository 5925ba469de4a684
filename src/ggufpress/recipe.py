"""Which type each tensor gets: the converter's choice, and llama-quantize's for a whole model.

`choose_types` answers for all tensors at once, because llama-quantize counts as it goes ("the i-th attn_v").
Source: llama.cpp of llama-cpp-python 0.3.36, src/llama-quant.cpp (`llama_tensor_get_type`). Exact: the same types.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ggufpress.arch.ops import Shape
from ggufpress.errors import UnsupportedError
from ggufpress.mixture import LOW, VALUES, ModelFacts, Spot, mixed
from ggufpress.presets import COPY, Preset
from ggufpress.quant.types import (
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
    Q2_0,
    Q2_K,
    Q3_K,
    Q4_0,
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
class Decision:
    """The type of one tensor. `rule` says what chose it; `fallback` why the shape did not allow that, or None."""

    qtype: QType
    rule: str
    fallback: str | None = None


FALLBACKS: dict[QType, QType] = {
    **dict.fromkeys((IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ4_XS), IQ4_NL),
    **dict.fromkeys((Q2_0, Q2_K, Q3_K, TQ1_0, TQ2_0), Q4_0),
    Q4_K: Q5_0,
    Q5_K: Q5_1,
    Q6_K: Q8_0,
}
"""What a type becomes where the row length is no multiple of its block; where that does not fit either, F16."""

ROLES = (
    ("attn_qkv", "attn_qkv.weight"),
    ("attn_kv_b", "attn_kv_b.weight"),
    ("attn_v", "attn_v.weight"),
    ("attn_k", "attn_k.weight"),
    ("attn_q", "attn_q.weight"),
    ("attn_output", "attn_output.weight"),
    ("ffn_up", "ffn_up"),
    ("ffn_gate", "ffn_gate"),
    ("ffn_down", "ffn_down"),
)
"""Role and the part of a name that shows it, in the order in which they are looked for."""

NEVER_QUANTIZED = (
    "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj",
    "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight", "time_mix_first.weight",
    "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight",
    "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight",
    "time_mix_g2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
    "attn_rel_b.weight", ".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd",
    ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
)  # fmt: skip
"""Parts of names that llama-quantize leaves in the type they have."""
NEVER_QUANTIZED_NAMES = ("position_embd.weight", "token_types.weight")

CONVERTER_F32 = (
    "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "position_embd.weight", "token_types.weight", "ssm_conv1d.weight",
    "ssm_conv1d_q.weight", "ssm_conv1d_k.weight", "ssm_conv1d_v.weight", "shortconv.conv.weight", "time_mix_first.weight",
    "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
)  # fmt: skip
"""Last parts of names that llama.cpp's converter always stores as F32 (conversion/base.py, `prepare_tensors`)."""


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
    if not name.endswith(".weight"):
        return "only weights are converted"
    if re.sub(r"^blk\.\d+\.", "", name) in CONVERTER_F32:
        return "routers and embeddings of positions stay F32"
    return None


def quantizable(name: str, shape: Shape) -> bool:
    """Whether llama-quantize changes the type of such a tensor at all."""
    return (
        len(stripped(shape)) >= 2
        and name.endswith("weight")
        and name not in NEVER_QUANTIZED_NAMES
        and not any(part in name for part in NEVER_QUANTIZED)
    )


def stripped(shape: Shape) -> Shape:
    """The shape as ggml counts dimensions: without leading axes of length 1."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape


def role(name: str) -> str:
    """The part that a tensor plays for the rules: output, token_embd, attn_v, ffn_down, ... or other."""
    if name == "output.weight":
        return "output"
    if name in ("token_embd.weight", "per_layer_token_embd.weight"):
        return "token_embd"
    return next((role for role, part in ROLES if part in name), "other")


def layer(name: str) -> int:
    """The layer in a tensor's name, or -1."""
    found = re.match(r"blk\.(\d+)\.", name)
    return int(found[1]) if found else -1


def quantizer_order(names: Iterable[str]) -> list[str]:
    """The order in which llama-quantize takes and writes tensors: those of no layer, then layer by layer, by name."""
    return sorted(names, key=lambda name: (layer(name), name.encode()))


def choose_types(
    tensors: Sequence[tuple[str, Shape, QType]], preset: Preset, model: ModelFacts, *, in_order: bool = False
) -> dict[str, Decision]:
    """The decision for each of `tensors` (name, shape, type in the file that llama-quantize would read).

    The result is in the order in which llama-quantize writes them: its own, or with `in_order` that of `tensors`.
    """
    by_name = {name: (shape, qtype) for name, shape, qtype in tensors}
    n_values = sum(role(name) in VALUES.split() for name in by_name)
    seen: Counter[str] = Counter()
    decisions: dict[str, Decision] = {}
    for name in by_name if in_order else quantizer_order(by_name):
        shape, source = by_name[name]
        if preset is COPY:
            decisions[name] = Decision(source, "preset COPY")
        elif not quantizable(name, shape):
            decisions[name] = Decision(source, "llama-quantize keeps it as it is")
        elif not preset.qtype.quantized:
            decisions[name] = Decision(preset.qtype, f"preset {preset.name}")
        else:
            wanted = _mixture(name, shape, preset, model, n_values, seen)
            decisions[name] = _fitted(name, wanted, shape[-1])
    return decisions


def _mixture(name: str, shape: Shape, preset: Preset, model: ModelFacts, n_values: int, seen: Counter[str]) -> Decision:
    kind = role(name)
    if kind == "token_embd" and model.tied:
        kind = "output"
    counter, n = ("values", n_values) if kind in VALUES.split() else (kind, model.n_layer)
    # in files of 3 bits and more, experts are counted by the layer in their name
    by_name = kind.startswith("ffn_") and model.n_expert > 1 and preset.name not in LOW.split()
    i = layer(name) if by_name else seen[counter]
    seen[counter] += 1
    stacked = len(shape) >= 3 and shape[-3] > 1
    qtype, why = mixed(Spot(kind, i, n, stacked, preset.qtype.fits(shape[-1]), preset, model))
    return Decision(qtype, why)


def _fitted(name: str, wanted: Decision, cols: int) -> Decision:
    if wanted.qtype.fits(cols):
        return wanted
    reason = f"{wanted.qtype} does not fit: rows of {cols} are no multiple of {wanted.qtype.block}"
    if wanted.qtype not in FALLBACKS and wanted.qtype.block > 32:
        raise UnsupportedError(
            f"{name}: {reason}, and llama-quantize has no smaller type for it", hint="choose another preset"
        )
    smaller = FALLBACKS.get(wanted.qtype, wanted.qtype)
    return Decision(smaller if smaller.fits(cols) else F16, wanted.rule, reason)
