"""Gemma and Gemma 2.

How the checkpoint differs from the GGUF layout:

1. Norms are stored as the difference from 1.
2. There is no output matrix: llama.cpp uses the embedding. Some quantizers store one all the same.
3. Gemma 2 has norms behind attention and feed-forward too.
4. Whatever the tokenizer files say, no space is put before a text, and Gemma's end of turn is token 107.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/gemma.py (GemmaModel, Gemma2Model).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, feed_forward, sizes
from ggufpress.arch.ops import Add
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import Value, f32, flag, u32

NAMES = {"GemmaForCausalLM": "gemma", "Gemma2ForCausalLM": "gemma2"}
CLASSES = tuple(NAMES)
NORMS = {
    "gemma": {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"},
    "gemma2": {
        "attn_norm": "input_layernorm", "post_attention_norm": "post_attention_layernorm",
        "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
    },
}  # fmt: skip
END_OF_TURN = u32(107)

# transformers 4.57.6, models/{gemma,gemma2}/configuration_*.py
CONFIG_CLASSES = {
    "gemma": ConfigClass({
        "vocab_size": 256000, "hidden_size": 3072, "intermediate_size": 24576, "num_hidden_layers": 28,
        "num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 256, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-6,
    }, refuses=takes_any_rope, fills_kv_heads=False),
    "gemma2": ConfigClass({
        "vocab_size": 256000, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-6, "sliding_window": 4096, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
    }, refuses=takes_any_rope, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Gemma model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    one = (Add(1),)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm",
        metadata=tuple(_metadata(config, name, s)),
        rules=(
            Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
            Rule("output_norm.weight", "model.norm.weight", one, (s.n_embd,)),
            *(
                Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{source}.weight", one, (s.n_embd,))
                for target, source in NORMS[name].items()
            ),
            *attention(s),
            *feed_forward(s.n_embd, s.n_ff),
        ),
        drops=(Drop("lm_head.weight", "llama.cpp uses the embedding as the output matrix of Gemma"),),
        vocab_keys=(
            *((("tokenizer.ggml.eot_token_id", END_OF_TURN),) if name == "gemma" else ()),
            ("tokenizer.ggml.add_space_prefix", flag(False)),
        ),
    )


def _metadata(config: Config, name: str, s: Sizes) -> list[tuple[str, Value]]:
    head_dim = config.integer("head_dim")
    keys = [
        (f"{name}.context_length", u32(config.integer("max_position_embeddings"))),
        (f"{name}.embedding_length", u32(s.n_embd)),
        (f"{name}.block_count", u32(s.n_layer)),
        (f"{name}.feed_forward_length", u32(s.n_ff)),
        (f"{name}.attention.head_count", u32(s.n_head)),
        (f"{name}.attention.head_count_kv", u32(s.n_head_kv)),
        (f"{name}.attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps"))),
        (f"{name}.attention.key_length", u32(head_dim)),
        (f"{name}.attention.value_length", u32(head_dim)),
        (FILE_TYPE, u32(0)),
    ]
    if name == "gemma2":
        keys += [
            (f"{name}.attn_logit_softcapping", f32(config.number("attn_logit_softcapping"))),
            (f"{name}.final_logit_softcapping", f32(config.number("final_logit_softcapping"))),
            (f"{name}.attention.sliding_window", u32(config.integer("sliding_window"))),
        ]
    return keys
