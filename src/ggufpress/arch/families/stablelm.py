"""StableLM.

How the checkpoint differs from the GGUF layout:

1. Norms have biases; a model with parallel residual has no norm before the feed-forward.
2. Norms of queries and keys are stored one per head; GGUF stacks them. llama.cpp's converter loses these norms and stops
   ("Unprocessed norms"); here the model converts to what llama.cpp loads.
3. rope_scaling and rope_theta are not written.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/stablelm.py, src/models/stablelm.cpp.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, linear, sizes
from ggufpress.arch.spec import EXPERT, Arch, Rule
from ggufpress.gguf.values import f32, flag, u32

CLASSES = ("StableLmForCausalLM", "StableLMEpochForCausalLM", "LlavaStableLMEpochForCausalLM")

# transformers 4.57.6, models/stablelm/configuration_stablelm.py
CONFIG_CLASSES = {
    "stablelm": ConfigClass(MODERN | {
        "vocab_size": 50304, "hidden_size": 2560, "intermediate_size": 6912, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 4096, "layer_norm_eps": 1e-5,
        "use_parallel_residual": False, "partial_rotary_factor": 0.25,
    }, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a StableLM model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    rotated = config.number("partial_rotary_factor", "rope_pct", "rope_percent")
    metadata = (
        ("stablelm.context_length", u32(config.integer("max_position_embeddings"))),
        ("stablelm.embedding_length", u32(s.n_embd)),
        ("stablelm.block_count", u32(s.n_layer)),
        ("stablelm.feed_forward_length", u32(s.n_ff)),
        ("stablelm.rope.dimension_count", u32(int(rotated * (s.n_embd // s.n_head)))),
        ("stablelm.attention.head_count", u32(s.n_head)),
        ("stablelm.attention.head_count_kv", u32(config.positive("num_key_value_heads"))),
        ("stablelm.use_parallel_residual", flag(config.flag("use_parallel_residual", True))),
        ("stablelm.attention.layer_norm_epsilon", f32(config.number("layer_norm_eps", "norm_eps"))),
        (FILE_TYPE, u32(0)),
    )
    return Arch(
        name="stablelm",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=metadata,
        rules=(
            *ends(s),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,), required=False),
            *attention(s),
            *(head_norms(s) if config.flag("qk_layernorm", False) else ()),
            *feed_forward(s.n_embd, s.n_ff),
        ),
    )


def head_norms(s: Sizes) -> tuple[Rule, ...]:
    """The norms of queries and keys, those of all heads stacked (2)."""
    hf = f"{LAYERS}.self_attn"
    return tuple(
        Rule(
            f"{BLK}.attn_{part}_norm.weight",
            f"{hf}.{part}_layernorm.norms.{EXPERT}.weight",
            (),
            (n, s.head_dim),
            stack=n,
        )
        for part, n in (("q", s.n_head), ("k", s.n_head_kv))
    )
