"""Step 3.5 and the language model of Step 3.7.

How the checkpoint differs from the GGUF layout:

1. Norms are stored as the difference from 1.
2. Layers with a sliding window have their own numbers of heads (attention_other_setting). A gate follows attention, one
   number for each head.
3. Layers are dense where the checkpoint has no experts; experts are stored stacked, a shared one beside them.
4. Layers behind those of the model predict further tokens: kept, and counted as blocks. A config may speak of them where
   the checkpoint has none; then the file is that of `--no-mtp`. Their last norm and output matrix have names of their own.
5. rope_theta is two numbers: for full and for sliding attention. Half of each head is rotated in layers of full attention,
   the whole in others; Llama 3's scaling holds for the former alone: rope_freqs.weight is filled up with ones.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/step3.py (Step35Model).
transformers 4.57.6 has no class for model_type step3p5: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import in_layers, layers_with, router, score_bias
from ggufpress.arch.later_layers import n_later, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, linear, norms, sizes
from ggufpress.arch.ops import Add
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.arch.windows import flags
from ggufpress.gguf.values import Value, ValueType, array, f32, flag, u32

CLASSES = ("Step3p5ForCausalLM", "Step3p7ForConditionalGeneration")
NAME = "step35"
FULL_SHARE = 0.5


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Step 3.5 model. Raises ConfigError for a config that does not make sense."""
    config = _with_one_theta(raw.with_defaults({"num_key_value_heads": raw.find("num_attention_groups")}))
    s = sizes(config)
    later = n_later(config, s.n_layer) or 0
    n_layer, n_expert = s.n_layer + later, config.positive("moe_num_experts")
    sliding = _sliding(config, n_layer)
    other = config.section("attention_other_setting") or Config({}, config.path)
    own = other.with_defaults({"num_attention_heads": s.n_head, "num_attention_groups": s.n_head_kv})
    heads = tuple(own.positive("num_attention_heads") if swa else s.n_head for swa in sliding)
    heads_kv = tuple(own.positive("num_attention_groups") if swa else s.n_head_kv for swa in sliding)
    sparse = layers_with(config, n_layer, f"{LAYERS}.moe.gate.weight")
    rules = (
        *ends(s),
        *norms(s),
        *head_norms(s),
        *(rule for i in range(n_layer) for rule in in_layers((i,), *_attention(s, heads[i], heads_kv[i]))),
        *in_layers(tuple(i for i in range(n_layer) if i not in sparse), *feed_forward(s.n_embd, s.n_ff)),
        *in_layers(sparse, *_experts(config, s, n_expert)),
        *(_later_name(rule) for rule in prediction(s, range(s.n_layer, n_layer))),
    )
    factors = llama3_factors(config, int(s.head_dim * FULL_SHARE))
    padded = (*factors, *[1.0] * (s.head_dim // 2 - len(factors))) if factors else ()
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(raw, config, s, sliding, heads, heads_kv, later).items()),
        rules=tuple(replace(r, ops=(Add(1),)) if r.source.endswith("norm.weight") else r for r in rules),
        constants=(Constant("rope_freqs.weight", padded),) if padded else (),
    )


def _with_one_theta(config: Config) -> Config:
    theta = config.find("rope_theta")
    if not isinstance(theta, list):
        return config
    if len(theta) < 2 or not all(type(x) in (int, float) for x in theta[:2]):
        raise config.wrong(("rope_theta",), "a number, or a list of two")
    # the list wins over what the rope parameters say
    stated = {key: config.find(key) for key in ("rope_parameters", "rope_scaling")}
    ropes = {key: rope | {"rope_theta": float(theta[0])} for key, rope in stated.items() if isinstance(rope, dict)}
    return config.replace(rope_theta=float(theta[0]), local_rope_theta=float(theta[1]), **ropes)


def _sliding(config: Config, n_layer: int) -> tuple[bool, ...]:
    """Which layers have a sliding window (5)."""
    kinds, shares = config.find("layer_types") or [], config.find("partial_rotary_factors") or []
    if not isinstance(kinds, list) or not isinstance(shares, list):
        raise config.wrong(("layer_types",), f"a list of {n_layer} kinds of attention")
    kinds = [*kinds, *["full_attention"] * n_layer][:n_layer]
    shares = [*shares, *[FULL_SHARE] * n_layer][:n_layer]
    if shares != [1.0 if kind == "sliding_attention" else FULL_SHARE for kind in kinds]:
        raise config.wrong(("partial_rotary_factors",), "1 for layers with a sliding window and 0.5 for others")
    return tuple(kind == "sliding_attention" for kind in kinds)


def _metadata(
    raw: Config, config: Config, s: Sizes, sliding: tuple[bool, ...], heads: tuple[int, ...], heads_kv: tuple[int, ...],
    later: int,
) -> dict[str, Value]:  # fmt: skip
    stated = config if "num_key_value_heads" in raw.values else config.without("num_key_value_heads")
    keys = dict(decoder_metadata(stated, NAME))
    keys[f"{NAME}.block_count"] = u32(s.n_layer + later)
    keys[f"{NAME}.attention.head_count"] = array(ValueType.INT32, heads)
    keys[f"{NAME}.attention.head_count_kv"] = array(ValueType.INT32, heads_kv)
    keys[f"{NAME}.attention.sliding_window"] = u32(config.integer("sliding_window"))
    keys[f"{NAME}.attention.sliding_window_pattern"] = flags(sliding)
    keys[f"{NAME}.attention.value_length"] = u32(config.integer("head_dim"))
    keys |= needed(
        config,
        NAME,
        ("expert_count", "moe_num_experts"),
        ("expert_used_count", "moe_top_k"),
        ("expert_feed_forward_length", "moe_intermediate_size"),
        ("expert_shared_feed_forward_length", "share_expert_dim"),
    )
    if (scale := config.optional_number("moe_router_scaling_factor")) is not None:
        keys[f"{NAME}.expert_weights_scale"] = f32(scale)
    if config.find("norm_expert_weight") is not None:
        keys[f"{NAME}.expert_weights_norm"] = flag(config.flag("norm_expert_weight", default=False))
    keys[f"{NAME}.leading_dense_block_count"] = u32(_n_dense(config))
    every = config.optional_integer("moe_every_n_layer")
    keys[f"{NAME}.moe_every_n_layers"] = u32(1 if every is None else every)
    epsilon = config.optional_number("rms_norm_eps")
    keys[f"{NAME}.attention.layer_norm_rms_epsilon"] = f32(1e-5 if epsilon is None else epsilon)
    for key, source in (("swiglu_clamp_exp", "swiglu_limits"), ("swiglu_clamp_shexp", "swiglu_limits_shared")):
        if (limits := config.find(source)) is not None:
            keys[f"{NAME}.{key}"] = array(ValueType.FLOAT32, _limits(config, source, limits, s.n_layer + later))
    if later:
        keys[f"{NAME}.nextn_predict_layers"] = u32(later)
    return keys


def _n_dense(config: Config) -> int:
    listed = config.find("moe_layers_enum")
    if not isinstance(listed, str) or not listed.strip():
        return 0
    try:
        return max(0, min(int(i) for i in listed.split(",")))
    except ValueError:
        raise config.wrong(("moe_layers_enum",), "numbers of layers between commas") from None


def _limits(config: Config, key: str, limits: object, n_layer: int) -> tuple[float, ...]:
    if not isinstance(limits, list) or not all(x is None or type(x) in (int, float) for x in limits):
        raise config.wrong((key,), "a list of numbers")
    return tuple([0.0 if x is None else float(x) for x in limits] + [0.0] * n_layer)[:n_layer]


def _attention(s: Sizes, n_head: int, n_head_kv: int) -> tuple[Rule, ...]:
    own = replace(s, n_head=n_head, n_head_kv=n_head_kv)
    return (*attention(own), *linear(f"{BLK}.attn_gate", f"{LAYERS}.self_attn.g_proj", (n_head, s.n_embd)))


def _experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    n_ff, hf = config.positive("moe_intermediate_size"), f"{LAYERS}.moe"
    up, down = (n_expert, n_ff, s.n_embd), (n_expert, s.n_embd, n_ff)
    return (
        router(n_expert, s.n_embd, f"{hf}.gate"),
        score_bias(n_expert, f"{hf}.router_bias"),
        Rule(f"{BLK}.ffn_gate_exps.weight", f"{hf}.gate_proj.weight", shape=up),
        Rule(f"{BLK}.ffn_up_exps.weight", f"{hf}.up_proj.weight", shape=up),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.down_proj.weight", shape=down),
        *feed_forward(s.n_embd, config.positive("share_expert_dim"), f"{LAYERS}.share_expert", "_shexp"),
    )


def _later_name(rule: Rule) -> Rule:
    source = rule.source.replace("shared_head.head", "shared_head.output")
    return replace(rule, source=source.replace(".shared_head.", ".transformer.shared_head."))
