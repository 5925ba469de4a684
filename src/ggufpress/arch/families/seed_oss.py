"""Seed-OSS.

How the checkpoint differs from the GGUF layout: not at all but in names. The norm before the feed-forward is called
post_attention_norm.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/olmo.py (SeedOssModel), gguf-py/gguf/tensor_mapping.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, feed_forward, linear, sizes
from ggufpress.arch.spec import Arch

CLASSES = ("SeedOssForCausalLM",)

# transformers 4.57.6, models/seed_oss/configuration_seed_oss.py
CONFIG_CLASSES = {
    "seed_oss": ConfigClass(MODERN | {
        "vocab_size": 155136, "hidden_size": 4096, "intermediate_size": 27648, "num_hidden_layers": 64,
        "num_attention_heads": 80, "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 524288,
        "rms_norm_eps": 1e-6,
    }, fills_head_dim=True),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Seed-OSS model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    return Arch(
        name="seed_oss",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(decoder_metadata(config, "seed_oss")),
        rules=(
            *ends(s),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.post_attention_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
            *attention(s),
            *feed_forward(s.n_embd, s.n_ff),
        ),
    )
