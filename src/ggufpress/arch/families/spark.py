"""Spark X2.5.

How the checkpoint differs from the GGUF layout:

1. q, k and v are one matrix; llama.cpp keeps it so. Each head's output passes a gate, one row per head.
2. Layers have sliding windows as layer_types says; those with one rotate another part of each head, at another frequency.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/spark2_5.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import window_metadata
from ggufpress.errors import ConfigError, UnsupportedError
from ggufpress.gguf.values import u32

CLASSES = ("Spark2_5ForCausalLM",)
WANTED = {"gate_attn_act_mode": "sigmoid", "headwise_attn_output_gate": True, "hidden_act": "gelu"}


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Spark model. Raises ConfigError for a config that does not make sense."""
    for key, value in WANTED.items():
        if config.find(key) != value:
            raise UnsupportedError(
                f"{config.path}: {key} is {config.find(key)!r:.60}, llama.cpp knows Spark with {value!r}"
            )
    s = sizes(config)
    size = config.positive("head_dim")
    part = f"{LAYERS}.self_attn"
    return Arch(
        name="spark2_5",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "spark2_5"),
            ("spark2_5.vocab_size", u32(s.n_vocab)),
            *window_metadata(config, "spark2_5", s.n_layer, 0),
            ("spark2_5.rope.dimension_count", u32(int(size * _share(config, "full_attention")))),
            ("spark2_5.rope.dimension_count_swa", u32(int(size * _share(config, "sliding_attention")))),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *linear(f"{BLK}.attn_qkv", f"{part}.q_k_v_proj", (s.rows_q + 2 * s.rows_kv, s.n_embd)),
            Rule(f"{BLK}.attn_gate.weight", f"{part}.g_proj.weight", shape=(s.n_head, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{part}.o_proj", (s.n_embd, s.rows_q)),
            *feed_forward(s.n_embd, s.n_ff),
        ),
    )


def _share(config: Config, kind: str) -> float:
    """The part of each head that layers with this kind of attention rotate."""
    rope = config.section("rope_parameters", "rope_scaling")
    section = rope.section(kind) if rope else None
    if section is None:
        raise ConfigError(f"{config.path}: rope_parameters has no {kind}, an object with its partial_rotary_factor")
    return section.number("partial_rotary_factor")
