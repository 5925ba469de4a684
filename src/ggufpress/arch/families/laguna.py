"""Laguna and Maple: Qwen-like layers with sliding windows, gates or partial rotation of their own.

How the checkpoint differs from the GGUF layout:

1. Laguna's layers may differ in their number of heads (num_attention_heads_per_layer). A gate follows attention: one number
   for each head or each element, as gating or gating_types says; a config that speaks of both kinds is refused.
2. Laguna's first layers are dense, as mlp_layer_types says; in the others, experts are stacked, with a shared one.
3. The parts of a head that are rotated differ between full and sliding attention in Laguna.
4. Maple has experts in every layer and clamps what they multiply at 7.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/laguna.py, conversion/maple.py.
transformers 4.57.6 has no class for either: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import GATE_UP_DOWN, in_layers, router, score_bias, stacks
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, linear, norms, sizes
from ggufpress.arch.rope import rotary_share
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import window_metadata
from ggufpress.gguf.values import Value, ValueType, array, f32, flag, u32

CLASSES = ("LagunaForCausalLM", "MapleForCausalLM")
KINDS = ("per_element", "per_head")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Laguna or Maple model. Raises ConfigError for a config that does not make sense."""
    return _maple(config, hf_class) if hf_class == "MapleForCausalLM" else _laguna(config, hf_class)


def _maple(config: Config, hf_class: str) -> Arch:
    s = sizes(config.with_defaults({"intermediate_size": 1}))
    for key, wanted, default in (("norm_topk_prob", True, True), ("nope_on_global_attention", True, False)):
        if config.flag(key, default) is not wanted:
            raise config.wrong((key,), "true")
    if config.find("hidden_act") != "silu" or config.find("num_shared_experts"):
        raise config.wrong(("hidden_act",) if config.find("hidden_act") != "silu" else ("num_shared_experts",),
                           "silu" if config.find("hidden_act") != "silu" else "none")  # fmt: skip
    n_expert, n_ff = config.positive("num_experts"), config.positive("moe_intermediate_size")
    share = rotary_share(config)
    if config.find("layer_types") is None:
        raise config.wrong(("layer_types",), f"a list of {s.n_layer} kinds of attention")
    return Arch(
        name="maple",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "maple"),
            ("maple.vocab_size", u32(s.n_vocab)),
            ("maple.rope.dimension_count", u32(int(s.head_dim * (1.0 if share is None else share)))),
            *window_metadata(config, "maple", s.n_layer, 0),
            ("maple.expert_feed_forward_length", u32(n_ff)),
            ("maple.swiglu_clamp_exp", array(ValueType.FLOAT32, [7.0] * s.n_layer)),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *head_norms(s),
            router(n_expert, s.n_embd),
            *stacks(n_expert, n_ff, s.n_embd),
        ),
    )


def _laguna(config: Config, hf_class: str) -> Arch:
    s = sizes(config)
    heads, kinds = _heads(config, s), _gates(config, s.n_layer)
    n_expert, n_dense = config.positive("num_local_experts", "num_experts"), _n_dense(config, s.n_layer)
    gated = tuple(heads[i] * (s.head_dim if kinds[i] == "per_element" else 1) for i in range(s.n_layer))
    return Arch(
        name="laguna",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="laguna",
        metadata=tuple(_metadata(config, s, heads, n_dense).items()),
        rules=(
            *ends(s),
            *norms(s),
            *head_norms(s),
            *(rule for i in range(s.n_layer) for rule in in_layers((i,), *_attention(s, heads[i], gated[i]))),
            *in_layers(range(min(n_dense, s.n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, s.n_layer), *_experts(config, s, n_expert)),
        ),
    )


def _metadata(config: Config, s: Sizes, heads: tuple[int, ...], n_dense: int) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, "laguna"))
    keys["laguna.vocab_size"] = u32(s.n_vocab)
    keys["laguna.attention.head_count"] = array(ValueType.INT32, heads)
    if window := config.optional_integer("sliding_window"):
        keys["laguna.attention.sliding_window"] = u32(window)
    keys |= needed(
        config,
        "laguna",
        ("expert_feed_forward_length", "moe_intermediate_size"),
        ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
    )
    keys["laguna.expert_weights_norm"] = flag(True)
    keys["laguna.expert_weights_scale"] = f32(config.number("moe_routed_scaling_factor"))
    keys["laguna.expert_gating_func"] = u32(2)
    keys["laguna.leading_dense_block_count"] = u32(n_dense)
    rope = config.section("rope_parameters", "rope_scaling")
    full = rope.section("full_attention") if rope else None
    if rope is None or full is None:
        raise config.wrong(("rope_parameters",), "an object with full_attention")
    keys["laguna.rope.dimension_count"] = u32(_rotated(full, s.head_dim))
    if (sliding := rope.section("sliding_attention")) is not None:
        keys["laguna.rope.dimension_count_swa"] = u32(_rotated(sliding, s.head_dim))
    return keys


def _rotated(rope: Config, head_dim: int) -> int:
    share = rope.optional_number("partial_rotary_factor")
    return int(head_dim * (1.0 if share is None else share))


def _heads(config: Config, s: Sizes) -> tuple[int, ...]:
    heads = config.find("num_attention_heads_per_layer") or [s.n_head] * s.n_layer
    if (
        not isinstance(heads, list)
        or len(heads) != s.n_layer
        or not all(type(n) is int and 0 < n < 1 << 16 for n in heads)
    ):
        raise config.wrong(("num_attention_heads_per_layer",), f"a list of {s.n_layer} positive integers")
    return tuple(heads)


def _gates(config: Config, n_layer: int) -> tuple[str, ...]:
    """The kind of gate of each layer (1)."""
    one, each = config.find("gating"), config.find("gating_types")
    kinds = each or [one if isinstance(one, str) else "per_head" if one is True else None] * n_layer
    if not isinstance(kinds, list) or len(kinds) != n_layer:
        raise config.wrong(("gating_types",), f"a list of {n_layer} kinds of gate")
    named = tuple(str(kind).replace("-", "_") for kind in kinds)
    if any(kind not in KINDS for kind in named):
        raise config.wrong(("gating_types",) if each else ("gating",), f"one of {', '.join(KINDS)}")
    if "per_element" in named and str(one).replace("-", "_") != "per_element":
        raise config.wrong(("gating",), "per-element, as gating_types has it,")
    return named


def _n_dense(config: Config, n_layer: int) -> int:
    kinds = config.find("mlp_layer_types")
    if not isinstance(kinds, list):
        raise config.wrong(("mlp_layer_types",), f"a list of {n_layer} kinds of feed-forward")
    return next((i for i, kind in enumerate(kinds) if kind != "dense"), len(kinds))


def _attention(s: Sizes, n_head: int, gated: int) -> tuple[Rule, ...]:
    own = Sizes(s.n_layer, s.n_embd, n_head, s.n_head_kv, s.head_dim, s.n_ff, s.n_vocab)
    return (*attention(own), *linear(f"{BLK}.attn_gate", f"{LAYERS}.self_attn.g_proj", (gated, s.n_embd)))


def _experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    n_ff, n_shared = config.positive("moe_intermediate_size"), config.positive("shared_expert_intermediate_size")
    return (
        router(n_expert, s.n_embd),
        score_bias(n_expert, f"{LAYERS}.mlp.experts.e_score_correction_bias"),
        *stacks(n_expert, n_ff, s.n_embd, names=GATE_UP_DOWN),
        *feed_forward(s.n_embd, n_shared, f"{LAYERS}.mlp.shared_expert", "_shexp"),
    )
