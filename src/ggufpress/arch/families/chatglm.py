"""ChatGLM 3, GLM-4 9B and GLM-Edge.

How the checkpoint differs from the GGUF layout:

1. ChatGLM has q, k and v in one matrix, with biases, under names of its own behind `transformer.`; GLM has them apart, under
   those of Llama. gate and up are one matrix in both; llama.cpp keeps it so.
2. The context length is seq_length where the config has one, else the width, as llama.cpp's converter has it.
3. Half of each head is rotated, in pairs of neighbours. rope_ratio multiplies the base frequency; rope_theta is not written.
4. The tokenizer is read from tokenizer.json; that of ChatGLM's own code and of ChatGLM 3 cannot be read.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/chatglm.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.layers import BLK, LAYERS, linear
from ggufpress.arch.rope import rotary_share
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import f32, flag, u32

CLASSES = ("GlmForCausalLM", "ChatGLMModel", "ChatGLMForConditionalGeneration")
OWN_LAYER = "encoder.layers.{i}"

# transformers 4.57.6, models/glm/configuration_glm.py
CONFIG_CLASSES = {
    "glm": ConfigClass({
        "vocab_size": 151552, "hidden_size": 4096, "intermediate_size": 13696, "num_hidden_layers": 40,
        "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128, "partial_rotary_factor": 0.5,
    }, refuses=takes_any_rope, renames_type=False, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a ChatGLM model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    if "THUDM/chatglm3-6b" in str(config.find("_name_or_path")):
        raise UnsupportedError(f"{config.path}: the tokenizer of ChatGLM 3 is code of its own, which is never run")
    n_layer, n_embd = block_count(config), config.positive("hidden_size", "n_embed")
    n_head = config.positive("n_head", "num_attention_heads")
    n_head_kv = config.find("multi_query_group_num", "num_key_value_heads") and config.positive(
        "multi_query_group_num", "num_key_value_heads"
    )
    n_head_kv = n_head_kv or n_head
    n_ff = config.positive("ffn_hidden_size", "intermediate_size")
    n_vocab = config.positive("padded_vocab_size", "vocab_size")
    size = config.optional_integer("head_dim", "kv_channels") or n_embd // n_head
    share, ratio = rotary_share(config), config.optional_number("rope_ratio")
    epsilon = config.optional_number("layernorm_epsilon")
    width = config.positive("attention_dim") if "attention_dim" in config.values else n_embd // n_head
    own = hf_class != "GlmForCausalLM"
    head = "lm_head" if not own else "output_layer"
    return Arch(
        name="chatglm",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="chatglm",
        metadata=(
            ("chatglm.context_length", u32(config.integer("seq_length") if "seq_length" in config.values else n_embd)),
            ("chatglm.embedding_length", u32(n_embd)),
            ("chatglm.feed_forward_length", u32(n_ff)),
            ("chatglm.block_count", u32(n_layer)),
            ("chatglm.attention.head_count", u32(n_head)),
            ("chatglm.attention.head_count_kv", u32(n_head_kv)),
            ("chatglm.attention.layer_norm_rms_epsilon", f32(1e-5 if epsilon is None else epsilon)),
            (FILE_TYPE, u32(0)),
            ("chatglm.rope.dimension_count", u32(int(width * (0.5 if share is None else share)))),
            ("tokenizer.ggml.add_bos_token", flag(False)),
            ("chatglm.rope.freq_base", f32(10000 * (1 if ratio is None else ratio))),
        ),
        rules=(
            *linear("output", head, (n_vocab, n_embd), required=False),
            *(_own if own else _llama)(n_embd, n_ff, n_vocab, n_head * size, n_head_kv * size),
        ),
        drops=(Drop("rotary_pos_emb.inv_freq", "llama.cpp computes the rotary frequencies itself"),),
        prefixes=(("transformer.", ""),),
    )


def _own(n_embd: int, n_ff: int, n_vocab: int, rows: int, rows_kv: int) -> tuple[Rule, ...]:
    return (
        Rule("token_embd.weight", "embedding.word_embeddings.weight", shape=(n_vocab, n_embd)),
        *linear("output_norm", "encoder.final_layernorm", (n_embd,)),
        *linear(f"{BLK}.attn_norm", f"{OWN_LAYER}.input_layernorm", (n_embd,)),
        *linear(f"{BLK}.ffn_norm", f"{OWN_LAYER}.post_attention_layernorm", (n_embd,)),
        *linear(f"{BLK}.attn_qkv", f"{OWN_LAYER}.self_attention.query_key_value", (rows + 2 * rows_kv, n_embd)),
        *linear(f"{BLK}.attn_output", f"{OWN_LAYER}.self_attention.dense", (n_embd, rows)),
        *linear(f"{BLK}.ffn_up", f"{OWN_LAYER}.mlp.dense_h_to_4h", (2 * n_ff, n_embd)),
        *linear(f"{BLK}.ffn_down", f"{OWN_LAYER}.mlp.dense_4h_to_h", (n_embd, n_ff)),
    )


def _llama(n_embd: int, n_ff: int, n_vocab: int, rows: int, rows_kv: int) -> tuple[Rule, ...]:
    attention = f"{LAYERS}.self_attn"
    return (
        Rule("token_embd.weight", "model.embed_tokens.weight", shape=(n_vocab, n_embd)),
        *linear("output_norm", "model.norm", (n_embd,)),
        *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (n_embd,)),
        *linear(f"{BLK}.ffn_norm", f"{LAYERS}.post_attention_layernorm", (n_embd,)),
        *linear(f"{BLK}.attn_q", f"{attention}.q_proj", (rows, n_embd)),
        *linear(f"{BLK}.attn_k", f"{attention}.k_proj", (rows_kv, n_embd)),
        *linear(f"{BLK}.attn_v", f"{attention}.v_proj", (rows_kv, n_embd)),
        *linear(f"{BLK}.attn_output", f"{attention}.o_proj", (n_embd, rows)),
        *linear(f"{BLK}.ffn_up", f"{LAYERS}.mlp.gate_up_proj", (2 * n_ff, n_embd)),
        *linear(f"{BLK}.ffn_down", f"{LAYERS}.mlp.down_proj", (n_embd, n_ff)),
    )
