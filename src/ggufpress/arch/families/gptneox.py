"""GPT-NeoX and Pythia.

How the checkpoint differs from the GGUF layout:

1. The rows of query_key_value are q k v of the first head, then of the next; GGUF has all q, all k, all v.
2. Norms and matrices have biases, the feed-forward has no gate. The first part of each head is rotated: rotary_pct.
3. The file type is not written, neither are rope_theta and rope_scaling.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/gptneox.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, linear, sizes
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import f32, flag, u32

CLASSES = ("GPTNeoXForCausalLM",)
LAYER = "gpt_neox.layers.{i}"

# transformers 4.57.6, models/gpt_neox/configuration_gpt_neox.py
CONFIG_CLASSES = {
    "gpt_neox": ConfigClass(MODERN | {
        "vocab_size": 50432, "hidden_size": 6144, "intermediate_size": 24576, "num_hidden_layers": 44,
        "num_attention_heads": 64, "max_position_embeddings": 2048, "layer_norm_eps": 1e-5, "rotary_pct": 0.25,
        "use_parallel_residual": True,
    }, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a GPT-NeoX model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    size = s.n_embd // s.n_head
    by_part = Regroup(s.n_head, ((0, size), (size, 2 * size), (2 * size, 3 * size)))
    qkv = f"{LAYER}.attention.query_key_value"
    masks = {f"{LAYER}.attention.bias", f"{LAYER}.attention.masked_bias"}
    return Arch(
        name="gptneox",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            ("gptneox.context_length", u32(config.integer("max_position_embeddings"))),
            ("gptneox.embedding_length", u32(s.n_embd)),
            ("gptneox.block_count", u32(s.n_layer)),
            ("gptneox.feed_forward_length", u32(s.n_ff)),
            ("gptneox.rope.dimension_count", u32(int(config.number("rotary_pct") * size))),
            ("gptneox.attention.head_count", u32(s.n_head)),
            ("gptneox.use_parallel_residual", flag(config.flag("use_parallel_residual", True))),
            ("gptneox.attention.layer_norm_epsilon", f32(config.number("layer_norm_eps"))),
        ),
        rules=(
            Rule("token_embd.weight", "gpt_neox.embed_in.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "gpt_neox.final_layer_norm", (s.n_embd,)),
            *linear("output", "embed_out", (s.n_vocab, s.n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.input_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYER}.post_attention_layernorm", (s.n_embd,)),
            Rule(f"{BLK}.attn_qkv.weight", f"{qkv}.weight", shape=(3 * s.n_embd, s.n_embd), gather=by_part),
            Rule(f"{BLK}.attn_qkv.bias", f"{qkv}.bias", shape=(3 * s.n_embd,), gather=by_part, required=False),
            *linear(f"{BLK}.attn_output", f"{LAYER}.attention.dense", (s.n_embd, s.n_embd)),
            *linear(f"{BLK}.ffn_up", f"{LAYER}.mlp.dense_h_to_4h", (s.n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_down", f"{LAYER}.mlp.dense_4h_to_h", (s.n_embd, s.n_ff)),
        ),
        drops=(
            *(Drop(mask, "the causal mask, which llama.cpp knows") for mask in sorted(masks)),
            Drop(f"{LAYER}.attention.rotary_emb.inv_freq", "llama.cpp computes the rotary frequencies itself"),
        ),
    )
