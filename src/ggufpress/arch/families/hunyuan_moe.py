"""HunYuan with experts: A13B and Hy3.

How the checkpoint differs from the GGUF layout:

1. Queries and keys pass through norms per head. Experts are stacked; a shared feed-forward stands beside them.
2. A13B: the width, number of shared experts and number of used experts stand in the config layer by layer, and must be
   the same in all. Tied models store lm_head all the same; it is left out. Dynamic rope scaling becomes a larger base frequency
   and a context of 256k: known for its own parameters alone.
3. A13B's tokenizer is a tiktoken file read by remote code; a tokenizer.json is needed instead.
4. Hy3: layers behind those of the model predict further tokens: kept, and counted as blocks. A config may speak of them
   where the checkpoint has none; then the file is that of `--no-mtp`. Layers are dense where the checkpoint has no experts.
   Router, its bias and the shared feed-forward go by several names.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/hunyuan.py (HunYuanMoEModel, HYV3Model).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import in_layers, layers_with, named, router, score_bias, stacks
from ggufpress.arch.later_layers import n_later, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, norms, sizes
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, f32, flag, text, u32

CLASSES = ("HunYuanMoEV1ForCausalLM", "HYV3ForCausalLM")
CONTEXT = 256 * 1024

# transformers 4.57.6, models/hunyuan_v1_moe/configuration_hunyuan_v1_moe.py
CONFIG_CLASSES = {
    "hunyuan_v1_moe": ConfigClass({
        "vocab_size": 290943, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": None, "head_dim": None, "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None, "tie_word_embeddings": False, "num_experts": 1,
        "moe_topk": 1,
    }, refuses=takes_any_rope, renames_type=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a HunYuan model with experts. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    return _hy3(config, hf_class) if hf_class == "HYV3ForCausalLM" else _a13b(config, hf_class)


def _a13b(config: Config, hf_class: str) -> Arch:
    name, s = "hunyuan-moe", sizes(config)
    n_expert = config.positive("num_local_experts", "num_experts")
    n_ff, n_used, n_shared = (_same(config, key) for key in ("moe_intermediate_size", "moe_topk", "num_shared_expert"))
    keys = dict(decoder_metadata(config, name))
    keys[f"{name}.expert_shared_feed_forward_length"] = u32(s.n_ff)
    keys[f"{name}.expert_feed_forward_length"] = u32(n_ff)
    keys[f"{name}.expert_used_count"] = u32(n_used)
    keys[f"{name}.expert_shared_count"] = u32(n_shared)
    tied = config.flag("tie_word_embeddings", default=False)
    hf = f"{LAYERS}.self_attn"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="hunyuan",
        metadata=tuple((keys | _scaled_rope(config, name)).items()),
        rules=(
            *(rule for rule in ends(s) if not (tied and rule.source == "lm_head.weight")),
            *norms(s),
            *attention(s),
            Rule(f"{BLK}.attn_q_norm.weight", f"{hf}.query_layernorm.weight", (), (s.head_dim,), False),
            Rule(f"{BLK}.attn_k_norm.weight", f"{hf}.key_layernorm.weight", (), (s.head_dim,), False),
            router(n_expert, s.n_embd, f"{LAYERS}.mlp.gate.wg"),
            *stacks(n_expert, n_ff, s.n_embd),
            *feed_forward(s.n_embd, s.n_ff * n_shared, f"{LAYERS}.mlp.shared_mlp", "_shexp"),
        ),
        drops=(Drop("lm_head.weight", "the embeddings are tied"),) if tied else (),
    )


def _same(config: Config, key: str) -> int:
    """What all layers have. Raises ConfigError where they differ."""
    values = config.find(key)
    if not isinstance(values, list) or not values or any(value != values[0] for value in values):
        raise config.wrong((key,), "a list with the same number for each layer")
    return replace(config, values={key: values[0]}).positive(key)


def _scaled_rope(config: Config, name: str) -> dict[str, Value]:
    rope = rope_parameters(config)
    if rope.find("rope_type") != "dynamic":
        return {}
    alpha, theta = (rope.optional_number(key) for key in ("alpha", "rope_theta"))
    base, alpha = 10000.0 if theta is None else theta, 1000 if alpha is None else alpha
    size = config.positive("hidden_size") // config.positive("num_attention_heads")
    if (alpha, base, size) != (1000, 10000.0, 128) or config.integer("max_position_embeddings") not in (
        CONTEXT // 8,
        CONTEXT,
    ):
        raise UnsupportedError(
            f"{config.path}: dynamic rope scaling is known for alpha 1000, rope_theta 10000, heads of 128 dimensions and a "
            "context of 32k or 256k alone"
        )
    return {
        f"{name}.rope.freq_base": f32(base * (alpha ** (size / (size - 2)))),
        f"{name}.rope.scaling.type": text("none"),
        f"{name}.rope.scaling.factor": f32(1),
        f"{name}.rope.scaling.original_context_length": u32(CONTEXT),
        f"{name}.context_length": u32(CONTEXT),
    }


def _hy3(config: Config, hf_class: str) -> Arch:
    name, s = "hy_v3", sizes(config)
    later = n_later(config, s.n_layer) or 0
    n_layer, n_expert = s.n_layer + later, config.positive("num_local_experts", "num_experts")
    n_ff = config.positive("moe_intermediate_size")
    sparse = layers_with(config, n_layer, f"{LAYERS}.mlp.experts.0.down_proj.weight")
    dense = tuple(i for i in range(n_layer) if i not in sparse)
    shared = config.with_defaults({"num_shared_experts": 1}).integer("num_shared_experts")
    scale = config.optional_number("router_scaling_factor")
    keys = dict(decoder_metadata(config, name))
    keys[f"{name}.block_count"] = u32(n_layer)
    keys[f"{name}.expert_feed_forward_length"] = u32(n_ff)
    keys[f"{name}.expert_shared_feed_forward_length"] = u32(n_ff * shared)
    keys[f"{name}.expert_weights_norm"] = flag(config.flag("route_norm", default=True))
    keys[f"{name}.expert_weights_scale"] = f32(1.0 if scale is None else scale)
    keys[f"{name}.expert_gating_func"] = u32(2)
    if later:
        keys[f"{name}.nextn_predict_layers"] = u32(later)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(keys.items()),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *head_norms(s),
            *in_layers(dense, *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(sparse, *_hy3_experts(config, s, n_expert, n_ff * shared)),
            *(_after_layer(rule) for rule in prediction(s, range(s.n_layer, n_layer))),
        ),
    )


def _hy3_experts(config: Config, s: Sizes, n_expert: int, n_ff_shared: int) -> tuple[Rule, ...]:
    hf = f"{LAYERS}.mlp"
    gate = named(config, f"{hf}.router.gate.weight", f"{hf}.gate.weight").removesuffix(".weight")
    bias = named(config, f"{hf}.expert_bias", f"{hf}.gate.expert_bias", f"{hf}.gate.e_score_correction_bias")
    one = named(config, f"{hf}.shared_mlp.up_proj.weight", f"{hf}.shared_experts.up_proj.weight")
    return (
        router(n_expert, s.n_embd, gate),
        # the converter gives it no suffix where its name does not end in one
        replace(score_bias(n_expert, bias), target=f"{BLK}.exp_probs_b{'.bias' if 'e_score' in bias else ''}"),
        *stacks(n_expert, config.positive("moe_intermediate_size"), s.n_embd),
        *(feed_forward(s.n_embd, n_ff_shared, one.removesuffix(".up_proj.weight"), "_shexp") if n_ff_shared else ()),
    )


def _after_layer(rule: Rule) -> Rule:
    """Hy3 calls the norm behind such a layer final_layernorm."""
    return replace(rule, source=rule.source.replace("shared_head.norm", "final_layernorm"))
