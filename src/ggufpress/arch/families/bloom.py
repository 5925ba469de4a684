"""Bloom.

How the checkpoint differs from the GGUF layout:

1. The rows of query_key_value are q k v of the first head, then of the next; GGUF has all q, all k, all v.
2. The embedding has a norm. Norms and matrices have biases, the feed-forward has no gate.
3. A checkpoint of the bare BloomModel has no `transformer.` prefix.
4. The context length is seq_length where the config has one, else the width, as llama.cpp's converter has it.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bloom.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, u32

CLASSES = ("BloomForCausalLM", "BloomModel")


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Bloom model. Raises ConfigError for a config that does not make sense."""
    # transformers 4.57.6, models/bloom/configuration_bloom.py: an old n_embed wins, and one default reaches the metadata
    config = raw.with_defaults({"layer_norm_epsilon": 1e-5}) if raw.find("model_type") == "bloom" else raw
    n_embd, n_head = config.positive("n_embed", "hidden_size"), config.positive("n_head", "num_attention_heads")
    n_layer, n_vocab = block_count(config), config.positive("vocab_size")
    context = config.integer("seq_length") if "seq_length" in config.values else n_embd
    hf = "" if hf_class == "BloomModel" else "transformer."
    layer = f"{hf}h.{{i}}"
    size = n_embd // n_head
    by_part = Regroup(n_head, ((0, size), (size, 2 * size), (2 * size, 3 * size)))
    qkv = f"{layer}.self_attention.query_key_value"
    return Arch(
        name="bloom",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=(
            ("bloom.context_length", u32(context)),
            ("bloom.embedding_length", u32(n_embd)),
            ("bloom.feed_forward_length", u32(4 * n_embd)),
            ("bloom.block_count", u32(n_layer)),
            ("bloom.attention.head_count", u32(n_head)),
            ("bloom.attention.head_count_kv", u32(n_head)),
            ("bloom.attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon"))),
            (FILE_TYPE, u32(0)),
        ),
        rules=(
            Rule("token_embd.weight", f"{hf}word_embeddings.weight", shape=(n_vocab, n_embd)),
            *linear("token_embd_norm", f"{hf}word_embeddings_layernorm", (n_embd,)),
            *linear("output_norm", f"{hf}ln_f", (n_embd,)),
            *linear("output", "lm_head", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{layer}.input_layernorm", (n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{layer}.post_attention_layernorm", (n_embd,)),
            Rule(f"{BLK}.attn_qkv.weight", f"{qkv}.weight", shape=(3 * n_embd, n_embd), gather=by_part),
            Rule(f"{BLK}.attn_qkv.bias", f"{qkv}.bias", shape=(3 * n_embd,), gather=by_part, required=False),
            *linear(f"{BLK}.attn_output", f"{layer}.self_attention.dense", (n_embd, n_embd)),
            *linear(f"{BLK}.ffn_up", f"{layer}.mlp.dense_h_to_4h", (4 * n_embd, n_embd)),
            *linear(f"{BLK}.ffn_down", f"{layer}.mlp.dense_4h_to_h", (n_embd, 4 * n_embd)),
        ),
    )
