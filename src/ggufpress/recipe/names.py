"""What a tensor's name and shape say to the rules: its role, its layer, whether llama-quantize changes its type at all.

Source: llama.cpp of llama-cpp-python 0.3.36, src/llama-quant.cpp (`tensor_get_category`, `tensor_allows_quantization`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ggufpress.arch.ops import Shape

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
NEVER_IN_GLM5_NEXT = (
    "hc_", "indexer.attn_q_b", "indexer.attn_k", "indexer.proj", "indexer_compressor_gate", "indexer_compressor_ape",
    "ssm_f_a.weight", "ssm_f_b.weight", "ssm_g_a.weight", "ssm_g_b.weight", "ssm_beta.weight", "attn_kv_a_mqa.weight",
    "attn_k_b.weight", "attn_v_b.weight",
)  # fmt: skip


def quantizable(name: str, shape: Shape, arch: str = "", *, leave_output: bool = False) -> bool:
    """Whether llama-quantize changes the type of such a tensor at all."""
    return kept_because(name, shape, arch, leave_output=leave_output) is None


def kept_because(name: str, shape: Shape, arch: str = "", *, leave_output: bool = False) -> str | None:
    """Why llama-quantize leaves a tensor in the type it has, or None where it does not."""
    if len(stripped(shape)) < 2:
        return "it has one dimension"
    if not name.endswith("weight"):
        return "its name does not end in weight"
    if leave_output and name == "output.weight":
        return "--leave-output-tensor"
    if name in NEVER_QUANTIZED_NAMES:
        return "such embeddings stay as they are"
    parts = NEVER_QUANTIZED + (NEVER_IN_GLM5_NEXT if arch == "glm5-next" else ())
    part = next((part for part in parts if part in name), None)
    return part and f"names with {part} stay as they are"


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
