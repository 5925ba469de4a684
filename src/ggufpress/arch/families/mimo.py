"""MiMo V2: Flash, V2.5 and its Pro, the language model.

How the checkpoint differs from the GGUF layout:

1. Layers with a sliding window (hybrid_layer_pattern) have their own number of key and value heads; values are narrower than
   keys. Queries, keys and values are three matrices, or one: both stay so. Some layers have sinks, a number for each head.
2. Layers are dense where the checkpoint has no experts; experts are stacked.
3. Three layers that predict further tokens stand under model.mtp.layers.N: kept, and counted as blocks with a window, where
   the checkpoint has any. Each ends with a norm of its own.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/mimo.py (MimoV2Model).
transformers 4.57.6 has no class for model_type mimo_v2_flash: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import GATE_UP_DOWN, in_layers, layers_with, router, score_bias, stacks
from ggufpress.arch.later_layers import prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.rope import rotary_share
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, ValueType, array, f32, u32

CLASSES = ("MiMoV2FlashForCausalLM", "MiMoV2ForCausalLM")
NAME = "mimo2"
N_LATER = 3
MTP = "model.mtp.layers."


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a MiMo V2 model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    for own, usual in (("swa_head_dim", "head_dim"), ("swa_num_attention_heads", "num_attention_heads"),
                       ("swa_v_head_dim", "v_head_dim")):  # fmt: skip
        if config.integer(own) != config.integer(usual):
            raise config.wrong((own,), f"the same as {usual}")
    if config.find("topk_method") != "noaux_tc":
        raise config.wrong(("topk_method",), "noaux_tc")
    later = N_LATER if any(name.startswith(MTP) for name in config.tensors) else 0
    hybrid = (*_hybrid(config, s.n_layer), *[1] * later)
    heads = tuple(config.positive("swa_num_key_value_heads" if kind == 1 else "num_key_value_heads") for kind in hybrid)
    n_expert = config.positive("n_routed_experts")
    sparse = layers_with(config, s.n_layer, f"{LAYERS}.mlp.experts.0.down_proj.weight")
    layers = tuple(range(s.n_layer))
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer + later,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, s, hybrid, heads, later).items()),
        rules=(
            *ends(s),
            *in_layers(layers, *norms(s)),
            *(rule for i in layers for rule in in_layers((i,), *_attention(config, s, heads[i]))),
            *in_layers(tuple(i for i in layers if i not in sparse), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(
                sparse,
                router(n_expert, s.n_embd),
                score_bias(n_expert),
                *stacks(n_expert, config.positive("moe_intermediate_size"), s.n_embd, names=GATE_UP_DOWN),
            ),
            *(rule for i in range(later) for rule in _later(config, s, heads[-1], i)),
        ),
    )


def _hybrid(config: Config, n_layer: int) -> tuple[int, ...]:
    pattern = config.find("hybrid_layer_pattern")
    if not isinstance(pattern, list) or len(pattern) != n_layer or not all(kind in (0, 1) for kind in pattern):
        raise config.wrong(("hybrid_layer_pattern",), f"a list of {n_layer} zeros and ones")
    return tuple(pattern)


def _metadata(
    config: Config, s: Sizes, hybrid: tuple[int, ...], heads: tuple[int, ...], later: int
) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, NAME))
    keys[f"{NAME}.block_count"] = u32(s.n_layer + later)
    keys[f"{NAME}.attention.head_count_kv"] = array(ValueType.INT32, heads)
    keys[f"{NAME}.attention.sliding_window"] = u32(config.integer("sliding_window"))
    keys[f"{NAME}.attention.sliding_window_pattern"] = array(ValueType.INT32, hybrid)
    keys[f"{NAME}.attention.value_length"] = u32(config.integer("v_head_dim"))
    keys[f"{NAME}.expert_count"] = u32(config.integer("n_routed_experts"))
    keys[f"{NAME}.expert_feed_forward_length"] = u32(config.integer("moe_intermediate_size"))
    if (share := rotary_share(config)) is None:
        raise config.wrong(("partial_rotary_factor",), "a number")
    keys[f"{NAME}.rope.dimension_count"] = u32(int(s.head_dim * share))
    epsilon = config.optional_number("layernorm_epsilon")
    keys[f"{NAME}.attention.layer_norm_rms_epsilon"] = f32(1e-5 if epsilon is None else epsilon)
    if (scale := config.optional_number("attention_value_scale")) is not None:
        keys[f"{NAME}.attention.value_scale"] = f32(scale)
    if later:
        keys[f"{NAME}.nextn_predict_layers"] = u32(later)
    return keys


def _attention(config: Config, s: Sizes, n_head_kv: int) -> tuple[Rule, ...]:
    hf, value = f"{LAYERS}.self_attn", config.positive("v_head_dim")
    q, k, v = s.rows_q, n_head_kv * s.head_dim, n_head_kv * value
    if any(name.endswith(".self_attn.qkv_proj.weight") for name in config.tensors):
        inputs: tuple[Rule, ...] = linear(f"{BLK}.attn_qkv", f"{hf}.qkv_proj", (q + k + v, s.n_embd))
    else:
        inputs = (
            *linear(f"{BLK}.attn_q", f"{hf}.q_proj", (q, s.n_embd)),
            *linear(f"{BLK}.attn_k", f"{hf}.k_proj", (k, s.n_embd)),
            *linear(f"{BLK}.attn_v", f"{hf}.v_proj", (v, s.n_embd)),
        )
    return (
        *inputs,
        *linear(f"{BLK}.attn_output", f"{hf}.o_proj", (s.n_embd, s.n_head * value)),
        Rule(f"{BLK}.attn_sinks.weight", f"{hf}.attention_sink_bias", (), (s.n_head,), required=False),
    )


def _later(config: Config, s: Sizes, n_head_kv: int, number: int) -> tuple[Rule, ...]:
    """A layer that predicts further tokens (3); its norm before the feed-forward has another name."""
    layer = s.n_layer + number
    rules = (
        *norms(s),
        *_attention(config, s, n_head_kv),
        *feed_forward(s.n_embd, s.n_ff),
        *prediction(s, range(1)),
        *linear(f"{BLK}.layer_output_norm", f"{LAYERS}.final_layernorm", (s.n_embd,), required=False),
    )
    names = (("post_attention_layernorm", "pre_mlp_layernorm"), (LAYERS, f"{MTP}{number}"))
    return tuple(
        replace(rule, target=rule.target.replace(BLK, f"blk.{layer}"), source=_renamed(rule.source, names), layers=None)
        for rule in rules
    )


def _renamed(name: str, names: tuple[tuple[str, str], ...]) -> str:
    for old, new in names:
        name = name.replace(old, new)
    return name
