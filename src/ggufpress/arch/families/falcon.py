"""Falcon 7B, 40B and 180B.

How the checkpoint differs from the GGUF layout:

1. The rows of query_key_value are grouped: the queries that share a key, that key, its value. GGUF has all q, all k, all v.
2. Falcon 7B has one norm per layer; the larger ones have two, side by side: ln_mlp and, of attention, ln_attn.
3. The context length is 2048 and the feed-forward four times as wide as the model, whatever the config says.
4. A model with multi_query and without new_decoder_architecture has one key, whatever num_kv_heads says. transformers' class
   fills in another number, and llama.cpp's converter then stops; here it converts.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/falcon.py.
"""

from __future__ import annotations

from itertools import pairwise

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, text, u32

CLASSES = ("FalconForCausalLM", "RWForCausalLM")
LAYER = "transformer.h.{i}"


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Falcon model. Raises ConfigError for a config that does not make sense."""
    # transformers 4.57.6, models/falcon/configuration_falcon.py: an old n_embed wins, and one default reaches the metadata
    config = raw.with_defaults({"layer_norm_epsilon": 1e-5}) if raw.find("model_type") == "falcon" else raw
    n_embd, n_head = config.positive("n_embed", "hidden_size"), config.positive("num_attention_heads", "n_head")
    n_layer, n_vocab = block_count(config), config.positive("vocab_size")
    n_head_kv = _heads_kv(config, n_head)
    size, queries = n_embd // n_head, n_head // n_head_kv
    rows = (n_head + 2 * n_head_kv) * size
    edges = (0, queries * size, (queries + 1) * size, (queries + 2) * size)
    by_part = Regroup(n_head_kv, tuple(pairwise(edges)))
    return Arch(
        name="falcon",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=(
            ("falcon.context_length", u32(2048)),
            ("falcon.tensor_data_layout", text("jploski")),
            ("falcon.embedding_length", u32(n_embd)),
            ("falcon.feed_forward_length", u32(4 * n_embd)),
            ("falcon.block_count", u32(n_layer)),
            ("falcon.attention.head_count", u32(n_head)),
            ("falcon.attention.head_count_kv", u32(n_head_kv)),
            ("falcon.attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon"))),
            (FILE_TYPE, u32(0)),
        ),
        rules=(
            Rule("token_embd.weight", "transformer.word_embeddings.weight", shape=(n_vocab, n_embd)),
            *linear("output_norm", "transformer.ln_f", (n_embd,)),
            *linear("output", "lm_head", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.input_layernorm", (n_embd,), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.ln_mlp", (n_embd,), required=False),
            *linear(f"{BLK}.attn_norm_2", f"{LAYER}.ln_attn", (n_embd,), required=False),
            Rule(f"{BLK}.attn_qkv.weight", f"{LAYER}.self_attention.query_key_value.weight", shape=(rows, n_embd),
                 gather=by_part),
            *linear(f"{BLK}.attn_output", f"{LAYER}.self_attention.dense", (n_embd, n_embd)),
            *linear(f"{BLK}.ffn_up", f"{LAYER}.mlp.dense_h_to_4h", (4 * n_embd, n_embd)),
            *linear(f"{BLK}.ffn_down", f"{LAYER}.mlp.dense_4h_to_h", (n_embd, 4 * n_embd)),
        ),
    )  # fmt: skip


def _heads_kv(config: Config, n_head: int) -> int:
    old = config.find("model_type") == "falcon" and not config.flag("new_decoder_architecture", False)
    if old and config.flag("multi_query", True):
        return 1
    stated = config.optional_integer("num_kv_heads") or config.optional_integer("n_head_kv")
    return stated or (n_head if config.find("model_type") == "falcon" else 1)
