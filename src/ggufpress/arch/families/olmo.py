"""OLMo, OLMo2 and OLMo3.

How the checkpoint differs from the GGUF layout:

1. OLMo has no norm weights, and the rows of its q_proj and k_proj are permuted per head.
2. OLMo2 and OLMo3 are not permuted. Queries and keys pass through a norm over all heads, and the norms of a layer stand
   behind attention and feed-forward.
3. OLMo3 has sliding windows: in all layers but every fourth, or as layer_types says.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/olmo.py (OlmoModel, Olmo2Model).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, is_no_early_rope, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, feed_forward, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import window_metadata
from ggufpress.gguf.values import f32

NAMES = {
    "OlmoForCausalLM": "olmo",
    "OLMoForCausalLM": "olmo",
    "Olmo2ForCausalLM": "olmo2",
    "Olmo3ForCausalLM": "olmo2",
}
CLASSES = tuple(NAMES)

# transformers 4.57.6, models/{olmo,olmo2,olmo3}/configuration_*.py
_SHARED = MODERN | {
    "vocab_size": 50304, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": None, "max_position_embeddings": 2048,
}  # fmt: skip
CONFIG_CLASSES = {
    "olmo": ConfigClass(_SHARED | {"clip_qkv": None}, refuses=is_no_early_rope, renames_type=False),
    "olmo2": ConfigClass(_SHARED | {"rms_norm_eps": 1e-5}, refuses=is_no_early_rope, renames_type=False),
    "olmo3": ConfigClass(_SHARED | {"rms_norm_eps": 1e-5, "sliding_window": 4096}, renames_type=False),
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an OLMo model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    metadata = decoder_metadata(config, name)
    if name == "olmo":
        metadata.append((f"{name}.attention.layer_norm_epsilon", f32(1e-5)))
        if (clamp := config.optional_number("clip_qkv")) is not None:
            metadata.append((f"{name}.attention.clamp_kqv", f32(clamp)))
        rules = tuple(rule for rule in ends(s) if "norm" not in rule.target)
        rules += attention(s, permuted=True)
    else:
        if "sliding_window" in config.values:
            metadata += window_metadata(config, name, s.n_layer, 4)
        rules = (
            *ends(s),
            *attention(s),
            Rule(f"{BLK}.attn_q_norm.weight", f"{LAYERS}.self_attn.q_norm.weight", shape=(s.rows_q,)),
            Rule(f"{BLK}.attn_k_norm.weight", f"{LAYERS}.self_attn.k_norm.weight", shape=(s.rows_kv,)),
            *linear(f"{BLK}.post_attention_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.post_ffw_norm", f"{LAYERS}.post_feedforward_layernorm", (s.n_embd,)),
        )
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=(*rules, *feed_forward(s.n_embd, s.n_ff)),
    )
