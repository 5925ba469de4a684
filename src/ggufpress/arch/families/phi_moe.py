"""Phi-3.5 MoE.

How the checkpoint differs from the GGUF layout:

1. Queries, keys and values are three matrices, all with biases; so is the output matrix, and norms have one.
2. Experts of three matrices (w1 gate, w2 down, w3 up) are stacked.
3. LongRoPE as in Phi-3: two tensors of divisors, and a key that comes before all others.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/phi.py (PhiMoeModel).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, lacks_rope_keys, read_through_class
from ggufpress.arch.decoder import needed
from ggufpress.arch.experts import GATE_DOWN_UP, router, stacks
from ggufpress.arch.families.phi3 import with_long_rope
from ggufpress.arch.layers import LAYERS, attention, ends, norms, sizes
from ggufpress.arch.spec import Arch

CLASSES = ("PhiMoEForCausalLM",)


def _refuses(config: Config) -> bool:
    """Whether PhimoeConfig refuses a rope_scaling: without its two factors as numbers, or what its kind needs."""
    scaling = config.find("rope_scaling")
    if not isinstance(scaling, dict):
        return False
    factors = (scaling.get("short_mscale"), scaling.get("long_mscale"))
    kind = scaling.get("rope_type", scaling.get("type"))
    typed = config.replace(rope_scaling=scaling | {"rope_type": kind})
    return not all(isinstance(x, int | float) for x in factors) or lacks_rope_keys(typed)


def _derived(config: Config) -> Config:
    scaling = config.find("rope_scaling")
    if not isinstance(scaling, dict):
        return config
    config = config.replace(rope_scaling={"rope_type": scaling.get("type")} | scaling)
    context = scaling.get("original_max_position_embeddings")
    return config if context is None else config.with_defaults({"original_max_position_embeddings": context})


# transformers 4.57.6, models/phimoe/configuration_phimoe.py
CONFIG_CLASSES = {
    "phimoe": ConfigClass(MODERN | {
        "vocab_size": 32064, "hidden_size": 4096, "intermediate_size": 6400, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "rope_theta": 1e6, "sliding_window": None, "num_experts_per_tok": 2, "num_local_experts": 16,
    }, refuses=_refuses, renames_type=False, derives=_derived),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Phi-3.5 MoE. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    n_expert, hf = config.positive("num_local_experts", "num_experts"), f"{LAYERS}.block_sparse_moe"
    rules = (
        *ends(s),
        *norms(s),
        *attention(s),
        router(n_expert, s.n_embd, f"{hf}.gate"),
        *stacks(n_expert, s.n_ff, s.n_embd, f"{hf}.experts", GATE_DOWN_UP),
    )
    arch = with_long_rope(config, hf_class, "phimoe", s, rules)
    keys = (("expert_used_count", config.key("num_experts_per_tok", "num_experts_per_token")),
            ("expert_count", config.key("num_local_experts", "num_experts")))  # fmt: skip
    return replace(arch, n_expert=n_expert, metadata=(*arch.metadata, *needed(config, "phimoe", *keys)))
