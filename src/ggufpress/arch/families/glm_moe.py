"""GLM 4.5 and 4.6, their vision models' text half, and Solar Open.

How the checkpoint differs from the GGUF layout:

1. The first layers are dense (first_k_dense_replace); in the others, experts are stacked and shared experts are one.
2. Layers behind those of the model predict further tokens: kept, and counted as blocks. A config may speak of them where
   the checkpoint has none; then the file is that of `--no-mtp`. For Solar Open the config alone counts.
3. Half of each head is rotated, unless the config has another partial_rotary_factor. Norms of q and k: as use_qk_norm says.
4. Scores always pass through a sigmoid.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/glm.py (Glm4MoeModel, SolarOpenModel).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import deepseek_experts, in_layers
from ggufpress.arch.later_layers import later_layers, n_later, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, linear, sizes
from ggufpress.arch.rope import rotary_share
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import Value, f32, flag, u32

VOCABS = {"Glm4MoeForCausalLM": "glm", "Glm4vMoeForConditionalGeneration": "glm", "SolarOpenForCausalLM": "solar-open"}
CLASSES = tuple(VOCABS)

# transformers 4.57.6, models/{glm4_moe,glm4v_moe}/configuration_*.py
_SHARED = MODERN | {
    "hidden_size": 4096, "intermediate_size": 10944, "num_hidden_layers": 46, "num_attention_heads": 96,
    "partial_rotary_factor": 0.5, "num_key_value_heads": 8, "rms_norm_eps": 1e-5, "moe_intermediate_size": 1408,
    "num_experts_per_tok": 8, "n_shared_experts": 1, "n_routed_experts": 128, "routed_scaling_factor": 1.0, "n_group": 1,
    "topk_group": 1, "first_k_dense_replace": 1, "norm_topk_prob": True,
}  # fmt: skip
CONFIG_CLASSES = {
    "glm4_moe": ConfigClass(
        _SHARED | {"vocab_size": 151552, "max_position_embeddings": 131072, "use_qk_norm": False}, fills_kv_heads=False
    ),
    "Glm4vMoe_text": ConfigClass(
        _SHARED | {"vocab_size": 151424, "max_position_embeddings": 65536}, fills_kv_heads=False
    ),
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a GLM model with experts. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    if hf_class == "SolarOpenForCausalLM":
        later = config.optional_integer("num_nextn_predict_layers")
    else:
        later = n_later(config, s.n_layer)
    n_layer = s.n_layer + (later or 0 if later_layers(config, s.n_layer) else 0)
    n_expert, n_dense = config.positive("n_routed_experts"), config.optional_integer("first_k_dense_replace") or 0
    with_norms = config.flag("use_qk_norm", default=False)
    return Arch(
        name="glm4moe",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab=VOCABS[hf_class],
        metadata=tuple(_metadata(config, s, later).items()),
        rules=(
            *ends(s),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.post_attention_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
            *attention(s),
            *(replace(rule, required=with_norms) for rule in head_norms(s)),
            *in_layers(range(min(n_dense, n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, n_layer), *deepseek_experts(config, s, n_expert)),
            *prediction(s, range(s.n_layer, n_layer)),
        ),
    )


def _metadata(config: Config, s: Sizes, later: int | None) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, "glm4moe"))
    keys["glm4moe.block_count"] = u32(s.n_layer + (later or 0))
    share = rotary_share(config)
    keys["glm4moe.rope.dimension_count"] = u32(int(s.head_dim * (0.5 if share is None else share)))
    for key, source in (
        ("expert_count", "n_routed_experts"),
        ("expert_feed_forward_length", "moe_intermediate_size"),
        ("expert_shared_count", "n_shared_experts"),
        ("leading_dense_block_count", "first_k_dense_replace"),
    ):
        if (value := config.optional_integer(source)) is not None:
            keys[f"glm4moe.{key}"] = u32(value)
    keys["glm4moe.expert_gating_func"] = u32(2)
    if (scale := config.optional_number("routed_scaling_factor")) is not None:
        keys["glm4moe.expert_weights_scale"] = f32(scale)
    if config.find("norm_topk_prob") is not None:
        keys["glm4moe.expert_weights_norm"] = flag(config.flag("norm_topk_prob", default=False))
    if later is not None:
        keys["glm4moe.nextn_predict_layers"] = u32(later)
    return keys
