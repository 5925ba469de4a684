"""PLM.

How the checkpoint differs from the GGUF layout: not at all but in names. Keys and values go through a narrow matrix with a
norm, queries do not; the feed-forward has no gate.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/plm.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, computed_frequencies, ends, linear, norms, plain_feed_forward, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import u32

CLASSES = ("PLMForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a PLM model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    plain, rotated = config.integer("qk_nope_head_dim"), config.positive("qk_rope_head_dim")
    value, width = config.positive("v_head_dim"), config.positive("kv_lora_rank")
    part = f"{LAYERS}.self_attn"
    return Arch(
        name="plm",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "plm"),
            ("plm.vocab_size", u32(s.n_vocab)),
            ("plm.attention.kv_lora_rank", u32(width)),
            ("plm.attention.key_length", u32(plain + rotated)),
            ("plm.attention.value_length", u32(value)),
            ("plm.rope.dimension_count", u32(rotated)),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *linear(f"{BLK}.attn_q", f"{part}.q_proj", (s.n_head * (plain + rotated), s.n_embd)),
            *linear(f"{BLK}.attn_kv_a_mqa", f"{part}.kv_a_proj_with_mqa", (width + rotated, s.n_embd)),
            *linear(f"{BLK}.attn_kv_a_norm", f"{part}.kv_a_layernorm", (width,)),
            *linear(f"{BLK}.attn_kv_b", f"{part}.kv_b_proj", (s.n_head * (plain + value), width)),
            *linear(f"{BLK}.attn_output", f"{part}.o_proj", (s.n_embd, s.n_head * value)),
            *plain_feed_forward(s, f"{LAYERS}.mlp", "up_proj", "down_proj"),
        ),
        drops=computed_frequencies(),
    )
