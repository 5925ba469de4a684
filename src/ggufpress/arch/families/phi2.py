"""Phi-1, Phi-1.5 and Phi-2.

How the checkpoint differs from the GGUF layout:

1. Attention and feed-forward stand side by side behind one norm, all with biases; the output matrix has one too.
2. The first part of each head is rotated: partial_rotary_factor.
3. feed_forward_length and head_count_kv are what the model had, four times the width and all heads, whatever the config
   says. rope_theta is not written. No token is put before a text.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/phi.py (Phi2Model).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.layers import BLK, LAYERS, ends, linear, plain_feed_forward, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import f32, flag, u32

CLASSES = ("PhiForCausalLM",)

# transformers 4.57.6, models/phi/configuration_phi.py
CONFIG_CLASSES = {
    "phi": ConfigClass(MODERN | {
        "vocab_size": 51200, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 24,
        "num_attention_heads": 32, "num_key_value_heads": None, "max_position_embeddings": 2048, "layer_norm_eps": 1e-5,
        "partial_rotary_factor": 0.5,
    }),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Phi-2 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    rotated = config.number("partial_rotary_factor", "rope_pct", "rope_percent")
    attention = f"{LAYERS}.self_attn"
    return Arch(
        name="phi2",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            ("phi2.context_length", u32(config.integer("n_positions", "max_position_embeddings"))),
            ("phi2.embedding_length", u32(s.n_embd)),
            ("phi2.feed_forward_length", u32(4 * s.n_embd)),
            ("phi2.block_count", u32(s.n_layer)),
            ("phi2.attention.head_count", u32(s.n_head)),
            ("phi2.attention.head_count_kv", u32(s.n_head)),
            ("phi2.attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon", "layer_norm_eps"))),
            ("phi2.rope.dimension_count", u32(int(rotated * s.n_embd) // s.n_head)),
            (FILE_TYPE, u32(0)),
            ("tokenizer.ggml.add_bos_token", flag(False)),
        ),
        rules=(
            *(rule for rule in ends(s) if "norm" not in rule.target),
            *linear("output_norm", "model.final_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.attn_q", f"{attention}.q_proj", (s.rows_q, s.n_embd)),
            *linear(f"{BLK}.attn_k", f"{attention}.k_proj", (s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_v", f"{attention}.v_proj", (s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{attention}.dense", (s.n_embd, s.rows_q)),
            *plain_feed_forward(s, f"{LAYERS}.mlp", "fc1", "fc2"),
        ),
    )
