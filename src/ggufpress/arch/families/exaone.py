"""EXAONE 3 and 4.

How the checkpoint differs from the GGUF layout:

1. EXAONE 3 has names of its own, EXAONE 4 those of Llama; nothing is permuted.
2. EXAONE 4 has norms behind attention and feed-forward, and norms for the queries and keys of a head.
3. Llama 3's rope scaling becomes a tensor of frequency divisors, rope_freqs.weight.
4. EXAONE 4 may have sliding windows: as layer_types says, else in all layers but every sliding_window_pattern-th.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/exaone.py (ExaoneModel, Exaone4Model).
transformers 4.57.6 has a class for EXAONE 4 alone.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, feed_forward, head_norms, linear, sizes
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.arch.windows import window_metadata
from ggufpress.gguf.values import u32

NAMES = {"ExaoneForCausalLM": "exaone", "Exaone4ForCausalLM": "exaone4"}
CLASSES = tuple(NAMES)


def _divides_by_zero(config: Config) -> bool:
    """Whether Exaone4Config fails: it computes layer_types from a pattern that is 0 where there is no window."""
    return config.find("sliding_window") is None and config.find("layer_types") is None


# transformers 4.57.6, models/exaone4/configuration_exaone4.py
CONFIG_CLASSES = {
    "exaone4": ConfigClass(MODERN | {
        "vocab_size": 102400, "hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
        "sliding_window": 4096, "sliding_window_pattern": 4,
    }, refuses=_divides_by_zero, renames_type=False, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an EXAONE model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    metadata = decoder_metadata(config, name)
    rules: tuple[Rule, ...]
    if name == "exaone":
        part = config.optional_number("partial_rotary_factor", "rope_pct", "rope_percent")
        rotated = int((1.0 if part is None else part) * (s.n_embd // s.n_head))
        metadata.append((f"{name}.rope.dimension_count", u32(rotated)))
        hf = "transformer.h.{i}"
        rules = (
            Rule("token_embd.weight", "transformer.wte.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "transformer.ln_f", (s.n_embd,)),
            *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{hf}.ln_1", (s.n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{hf}.ln_2", (s.n_embd,)),
            *linear(f"{BLK}.attn_q", f"{hf}.attn.attention.q_proj", (s.rows_q, s.n_embd)),
            *linear(f"{BLK}.attn_k", f"{hf}.attn.attention.k_proj", (s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_v", f"{hf}.attn.attention.v_proj", (s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}.attn.attention.out_proj", (s.n_embd, s.rows_q)),
            *linear(f"{BLK}.ffn_gate", f"{hf}.mlp.c_fc_0", (s.n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_up", f"{hf}.mlp.c_fc_1", (s.n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_down", f"{hf}.mlp.c_proj", (s.n_embd, s.n_ff)),
        )
    else:
        metadata.append((f"{name}.vocab_size", u32(s.n_vocab)))
        if config.find("sliding_window") is not None:
            metadata += window_metadata(config, name, s.n_layer, config.integer("sliding_window_pattern"))
        rules = (
            *ends(s),
            *attention(s),
            *head_norms(s),
            *linear(f"{BLK}.post_attention_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.post_ffw_norm", f"{LAYERS}.post_feedforward_layernorm", (s.n_embd,)),
            *feed_forward(s.n_embd, s.n_ff),
        )
    factors = llama3_factors(config, s.head_dim, default_factor=8.0 if name == "exaone" else 16.0)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=rules,
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
    )
