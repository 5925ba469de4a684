"""Orion.

How the checkpoint differs from the GGUF layout: not at all but in names. What the config calls rms_norm_eps belongs to
norms with biases, so it is written as layer_norm_epsilon.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/orion.py (OrionModel). transformers has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.layers import attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import f32, text, u32

CLASSES = ("OrionForCausalLM",)
CONTEXT = ("max_sequence_length", "max_position_embeddings", "model_max_length")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an Orion model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    return Arch(
        name="orion",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm",
        metadata=(
            (FILE_TYPE, u32(0)),
            ("orion.tensor_data_layout", text("Meta AI original pth")),
            ("orion.context_length", u32(config.integer(*CONTEXT))),
            ("orion.embedding_length", u32(s.n_embd)),
            ("orion.block_count", u32(s.n_layer)),
            ("orion.feed_forward_length", u32(s.n_ff)),
            ("orion.attention.head_count", u32(s.n_head)),
            ("orion.attention.head_count_kv", u32(s.n_head_kv)),
            ("orion.attention.layer_norm_epsilon", f32(config.number("rms_norm_eps"))),
        ),
        rules=(*ends(s), *norms(s), *attention(s), *feed_forward(s.n_embd, s.n_ff)),
        drops=computed_frequencies(),
    )
