"""Which type each tensor gets: presets, and the rules of llama-quantize as a table that reads top to bottom.

`choose_types` answers for a whole model at once, because llama-quantize counts as it goes ("the i-th attn_v").
Source: llama.cpp of llama-cpp-python 0.3.36, src/llama-quant.cpp (`llama_tensor_get_type`) and
include/llama.h (`enum llama_ftype`). Exact: the same types as llama-quantize without an importance matrix.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ggufpress.arch.ops import Shape
from ggufpress.errors import UsageError
from ggufpress.quant.types import BF16, F16, F32, Q4_0, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0, QType


@dataclass(frozen=True, slots=True)
class Preset:
    """A named mix. `ftype` is the number in `general.file_type`, `qtype` what most tensors get."""

    name: str
    ftype: int
    qtype: QType
    about: str


PRESETS: tuple[Preset, ...] = (
    Preset("F32", 0, F32, "every weight exactly as in the checkpoint, four bytes each"),
    Preset("F16", 1, F16, "half precision: what most runtimes compute with"),
    Preset("BF16", 32, BF16, "what most models are trained in: lossless for a BF16 checkpoint"),
    Preset("Q8_0", 7, Q8_0, "as good as the original for almost every use"),
    Preset("Q6_K", 18, Q6_K, "very close to the original"),
    Preset("Q5_K_M", 17, Q5_K, "small loss; attention values and half of ffn_down in Q6_K"),
    Preset("Q5_K_S", 16, Q5_K, "small loss; Q5_K throughout"),
    Preset("Q4_K_M", 15, Q4_K, "the usual choice: attention values and half of ffn_down in Q6_K"),
    Preset("Q4_K_S", 14, Q4_K, "a little smaller than Q4_K_M; the first layers in Q5_K"),
    Preset("Q4_0", 2, Q4_0, "plain 4 bits: fast on many devices, less precise than Q4_K_S"),
)
BY_NAME = {preset.name: preset for preset in PRESETS}
ALIASES = {"Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "FP32": "F32", "FP16": "F16"}
AUTO = "AUTO"


def preset_named(name: str) -> Preset:
    """The preset called `name`, in any case. Raises UsageError where there is none."""
    key = name.upper()
    try:
        return BY_NAME[ALIASES.get(key, key)]
    except KeyError:
        known = ", ".join([AUTO, *BY_NAME])
        raise UsageError(f"no preset is called {name!r}", hint=f"known presets: {known}") from None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the rules ask about a model. `n_gqa` is query heads per key/value head; `is_70b` is llama.cpp's size class."""

    arch: str
    n_layer: int
    n_expert: int
    n_gqa: int
    is_70b: bool
    tied: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The type of one tensor. `rule` says what chose it; `fallback` why the shape did not allow that, or None."""

    qtype: QType
    rule: str
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of the table: tensors of `roles` in files of `presets` that meet `when` get `qtype`; `why` names it."""

    roles: frozenset[str]
    presets: frozenset[str]
    qtype: QType
    when: Callable[[Spot], bool]
    why: str


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a tensor stands: its role, how many of its role came before (`i`) and how many there are (`n`)."""

    role: str
    i: int
    n: int
    model: ModelFacts


def more_bits(spot: Spot) -> bool:
    """The first and the last eighth, and every third in between."""
    eighth = spot.n // 8
    return spot.i < eighth or spot.i >= 7 * spot.n // 8 or (spot.i - eighth) % 3 == 2


def _row(roles: str, presets: str, qtype: QType, why: str, when: Callable[[Spot], bool] = lambda _: True) -> Choice:
    return Choice(frozenset(roles.split()), frozenset(presets.split()), qtype, when, why)


FALCON = "falcon"
VALUES = "attn_v attn_qkv attn_kv_b"

MIXTURE: tuple[Choice, ...] = (
    _row(VALUES, "Q4_0 Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q8_0", Q8_0, "attention values of an 8-expert model",
         lambda at: at.model.n_expert == 8),
    _row(VALUES, "Q4_K_M Q5_K_M", Q6_K, "attention values of the layers that get more bits", more_bits),
    _row(VALUES, "Q4_K_S", Q5_K, "attention values of the first 4 layers", lambda at: at.i < 4),
    _row(VALUES, "Q4_K_S Q4_K_M", Q5_K, "attention values of a 70B model", lambda at: at.model.is_70b),
    _row("attn_k", "Q4_0 Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q8_0", Q8_0, "attention keys of an 8-expert model",
         lambda at: at.model.n_expert == 8),
    _row("attn_output", "Q4_K_S Q4_K_M", Q5_K, "attention output of an 8-expert model",
         lambda at: at.model.n_expert == 8 and at.model.arch != FALCON),
    _row("ffn_down", "Q4_K_M", Q6_K, "ffn_down of Falcon's first sixteenth",
         lambda at: at.model.arch == FALCON and at.i < at.n // 16),
    _row("ffn_down", "Q4_K_M", Q5_K, "ffn_down of Falcon's layers that get more bits",
         lambda at: at.model.arch == FALCON and more_bits(at)),
    _row("ffn_down", "Q4_K_M", Q6_K, "ffn_down of the layers that get more bits",
         lambda at: at.model.arch != FALCON and more_bits(at)),
    _row("ffn_down", "Q5_K_M", Q6_K, "ffn_down of the layers that get more bits", more_bits),
    _row("ffn_down", "Q4_K_S", Q5_K, "ffn_down of the first eighth",
         lambda at: at.model.arch != FALCON and at.i < at.n // 8),
)  # fmt: skip
"""The first row that matches decides. For `ffn_*` of a model with experts, `i` is the layer in the name."""

FALLBACKS = {Q4_K: Q5_0, Q5_K: Q5_1, Q6_K: Q8_0}
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


def choose_types(tensors: Sequence[tuple[str, Shape, QType]], preset: Preset, model: ModelFacts) -> dict[str, Decision]:
    """The decision for each of `tensors` (name, shape, type in the file that llama-quantize would read).

    The result is in the order in which llama-quantize writes them.
    """
    by_name = {name: (shape, qtype) for name, shape, qtype in tensors}
    n_values = sum(role(name) in VALUES.split() for name in by_name)
    seen: Counter[str] = Counter()
    decisions: dict[str, Decision] = {}
    for name in quantizer_order(by_name):
        shape, source = by_name[name]
        if not quantizable(name, shape):
            decisions[name] = Decision(source, "llama-quantize keeps it as it is")
        elif not preset.qtype.quantized:
            decisions[name] = Decision(preset.qtype, f"preset {preset.name}")
        else:
            wanted = _mixture(name, shape[-1], preset, model, n_values, seen)
            decisions[name] = _fitted(wanted, shape[-1])
    return decisions


def _mixture(name: str, cols: int, preset: Preset, model: ModelFacts, n_values: int, seen: Counter[str]) -> Decision:
    kind = role(name)
    if kind == "output" or (kind == "token_embd" and model.tied):
        what = "the output matrix" if kind == "output" else "the embedding, which is the output matrix too"
        if model.arch == FALCON or not preset.qtype.fits(cols) or preset.qtype is Q8_0:
            return Decision(Q8_0, what)
        return Decision(Q6_K, what)
    counter, n = ("values", n_values) if kind in VALUES.split() else (kind, model.n_layer)
    i = layer(name) if kind.startswith("ffn_") and model.n_expert > 1 else seen[counter]
    seen[counter] += 1
    spot = Spot(kind, i, n, model)
    for row in MIXTURE:
        if kind in row.roles and preset.name in row.presets and row.when(spot):
            return Decision(row.qtype, row.why)
    return Decision(preset.qtype, f"preset {preset.name}")


def _fitted(wanted: Decision, cols: int) -> Decision:
    if wanted.qtype.fits(cols):
        return wanted
    smaller = FALLBACKS.get(wanted.qtype, wanted.qtype)
    got = smaller if smaller.fits(cols) else F16
    return Decision(
        got, wanted.rule, f"{wanted.qtype} does not fit: rows of {cols} are no multiple of {wanted.qtype.block}"
    )
