"""Apertus.

How the checkpoint differs from the GGUF layout:

1. Nothing is permuted. The feed-forward has no gate; queries and keys pass through a norm per head.
2. The numbers of its activation, xIELU, stand in tensors of one weight per layer; GGUF has them as keys before all others.
3. Llama 3's rope scaling becomes a tensor of frequency divisors; the config class scales so by default.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/llama.py (ApertusModel, LlamaModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import (
    BLK,
    LAYERS,
    attention,
    computed_frequencies,
    ends,
    head_norms,
    linear,
    plain_feed_forward,
    sizes,
)  # fmt: skip
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Stored
from ggufpress.gguf.values import Value, ValueType, array, u32

CLASSES = ("ApertusForCausalLM",)

# transformers 4.57.6, models/apertus/configuration_apertus.py
CONFIG_CLASSES = {
    "apertus": ConfigClass({
        "vocab_size": 131072, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": None, "max_position_embeddings": 65536, "rms_norm_eps": 1e-5,
        "rope_theta": 12000000.0, "rope_scaling": {
            "rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
        },
    }),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an Apertus model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    factors = llama3_factors(config, s.head_dim)
    return Arch(
        name="apertus",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="llama",
        metadata=(
            *decoder_metadata(config, "apertus"),
            ("apertus.vocab_size", u32(s.n_vocab)),
            ("apertus.rope.dimension_count", u32(s.head_dim)),
        ),
        rules=(
            *ends(s),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.attention_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYERS}.feedforward_layernorm", (s.n_embd,)),
            *attention(s),
            *head_norms(s),
            *plain_feed_forward(s, f"{LAYERS}.mlp", "up_proj", "down_proj"),
        ),
        drops=computed_frequencies(),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
        stored=tuple(
            Stored(f"xielu.{name}", f"{LAYERS}.mlp.act_fn.{name}", _floats)
            for name in ("alpha_n", "alpha_p", "beta", "eps")
        ),
    )


def _floats(values: tuple[float, ...]) -> Value:
    return array(ValueType.FLOAT32, values)
