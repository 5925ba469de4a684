"""MiniCPM and MiniCPM3.

How the checkpoint differs from the GGUF layout:

1. The rows of MiniCPM's q and k are permuted per head; those of MiniCPM3 are not.
2. Embeddings, residuals and logits are scaled by factors that follow from scale_emb, scale_depth and dim_model_base; for
   MiniCPM3 llama.cpp has them built in.
3. MiniCPM3's queries, keys and values go through narrow matrices with norms between.
4. LongRoPE's divisors become two tensors.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/minicpm.py. transformers 4.57.6 has a class for neither.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, decoder_metadata
from ggufpress.arch.layers import (
    BLK,
    LAYERS,
    Sizes,
    attention,
    computed_frequencies,
    ends,
    feed_forward,
    linear,
    norms,
    sizes,
)  # fmt: skip
from ggufpress.arch.rope import long_short_factors
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.gguf.values import Value, f32, u32

NAMES = {"MiniCPMForCausalLM": "minicpm", "MiniCPM3ForCausalLM": "minicpm3"}
CLASSES = tuple(NAMES)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a MiniCPM model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    name = NAMES[hf_class]
    if name == "minicpm":
        metadata = _minicpm(config, s)
        rules = attention(s, permuted=True)
        rotated = s.n_embd // s.n_head
    else:
        metadata = _minicpm3(config, s)
        rules = narrow_attention(config, s)
        rotated = config.positive("qk_rope_head_dim")
    factors = long_short_factors(config, rotated)
    kinds = ("rope_factors_long.weight", "rope_factors_short.weight")
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm",
        metadata=tuple(metadata),
        rules=(*ends(s), *norms(s), *rules, *feed_forward(s.n_embd, s.n_ff)),
        drops=computed_frequencies(),
        constants=tuple(Constant(kind, values) for kind, values in zip(kinds, factors or (), strict=False)),
    )


def _minicpm(config: Config, s: Sizes) -> list[tuple[str, Value]]:
    return [
        *decoder_metadata(config, "minicpm"),
        ("minicpm.embedding_scale", f32(float(config.number("scale_emb")))),
        ("minicpm.residual_scale", f32(config.number("scale_depth") / s.n_layer**0.5)),
        ("minicpm.logit_scale", f32(s.n_embd / config.positive("dim_model_base"))),
    ]


def _minicpm3(config: Config, s: Sizes) -> list[tuple[str, Value]]:
    rotated = config.positive("qk_rope_head_dim")
    return [
        (FILE_TYPE, u32(0)),
        ("minicpm3.context_length", u32(config.integer("max_position_embeddings"))),
        ("minicpm3.embedding_length", u32(s.n_embd)),
        ("minicpm3.block_count", u32(s.n_layer)),
        ("minicpm3.feed_forward_length", u32(s.n_ff)),
        ("minicpm3.attention.head_count", u32(s.n_head)),
        ("minicpm3.attention.head_count_kv", u32(config.integer("num_key_value_heads"))),
        ("minicpm3.attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps"))),
        ("minicpm3.vocab_size", u32(s.n_vocab)),
        ("minicpm3.attention.q_lora_rank", u32(config.positive("q_lora_rank"))),
        ("minicpm3.attention.kv_lora_rank", u32(config.positive("kv_lora_rank"))),
        ("minicpm3.attention.key_length", u32(config.integer("qk_nope_head_dim") + rotated)),
        ("minicpm3.rope.dimension_count", u32(rotated)),
    ]


def narrow_attention(config: Config, s: Sizes) -> tuple[Rule, ...]:
    """Attention through narrow matrices."""
    part = f"{LAYERS}.self_attn"
    plain, rotated = config.integer("qk_nope_head_dim"), config.positive("qk_rope_head_dim")
    value = config.optional_integer("v_head_dim") or s.n_embd // s.n_head
    width, rows = config.positive("kv_lora_rank"), s.n_head * (plain + rotated)
    narrow = config.positive("q_lora_rank")
    return (
        *linear(f"{BLK}.attn_q_a", f"{part}.q_a_proj", (narrow, s.n_embd)),
        *linear(f"{BLK}.attn_q_a_norm", f"{part}.q_a_layernorm", (narrow,)),
        *linear(f"{BLK}.attn_q_b", f"{part}.q_b_proj", (rows, narrow)),
        *linear(f"{BLK}.attn_kv_a_mqa", f"{part}.kv_a_proj_with_mqa", (width + rotated, s.n_embd)),
        *linear(f"{BLK}.attn_kv_a_norm", f"{part}.kv_a_layernorm", (width,)),
        *linear(f"{BLK}.attn_kv_b", f"{part}.kv_b_proj", (s.n_head * (plain + value), width)),
        *linear(f"{BLK}.attn_output", f"{part}.o_proj", (s.n_embd, s.n_head * value)),
    )
