"""MPT.

How the checkpoint differs from the GGUF layout:

1. q, k and v are one matrix; llama.cpp keeps it so. The output matrix is the embedding.
2. Positions are biases of attention, with a largest slope; models without them have a position embedding.
3. AWQ's scales of the activation become act.scales, as llama.cpp loads them; its converter maps their name twice and stops.
4. Norms and matrices have no biases where no_bias is true. Queries and keys may pass through a norm over all heads.
5. The feed-forward is four times as wide as the model, whatever expansion_ratio says. The file type is not written.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/mpt.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, u32

CLASSES = ("MPTForCausalLM",)
LAYER = "transformer.blocks.{i}"

# transformers 4.57.6, models/mpt/configuration_mpt.py
DEFAULTS = {
    "d_model": 2048, "n_heads": 16, "n_layers": 24, "max_seq_len": 2048, "vocab_size": 50368,
    "attn_config": {},
}  # fmt: skip
ATTENTION_DEFAULTS = {"clip_qkv": None, "alibi": True, "alibi_bias_max": 8}
ATTENTION_KEYS = frozenset({
    "attn_type", "attn_pdrop", "attn_impl", "clip_qkv", "softmax_scale", "prefix_lm", "qk_ln", "attn_uses_sequence_id",
    "alibi", "alibi_bias_max",
})  # fmt: skip
"""What MptAttentionConfig keeps: the rest, also kv_n_heads, is lost."""


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an MPT model. Raises ConfigError for a config that does not make sense."""
    config, attention = _read(raw)
    n_embd, n_layer, n_head = config.positive("d_model"), block_count(config), config.positive("n_heads")
    n_vocab, context = config.positive("vocab_size"), config.positive("max_seq_len")
    n_ff = 4 * n_embd
    n_head_kv = attention.optional_integer("kv_n_heads") or 0
    rows = n_embd + 2 * (n_head_kv or n_head) * (n_embd // n_head)
    metadata = [
        ("mpt.context_length", u32(context)),
        ("mpt.embedding_length", u32(n_embd)),
        ("mpt.block_count", u32(n_layer)),
        ("mpt.feed_forward_length", u32(4 * n_embd)),
        ("mpt.attention.head_count", u32(n_head)),
    ]
    if n_head_kv:
        metadata.append(("mpt.attention.head_count_kv", u32(n_head_kv)))
    metadata.append(("mpt.attention.layer_norm_epsilon", f32(1e-5)))
    if (clamp := attention.optional_number("clip_qkv")) is not None:
        metadata.append(("mpt.attention.clamp_kqv", f32(clamp)))
    slope = attention.number("alibi_bias_max") if attention.flag("alibi", False) else 0.0
    metadata.append(("mpt.attention.max_alibi_bias", f32(slope)))
    return Arch(
        name="mpt",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="mpt",
        metadata=tuple(metadata),
        rules=(
            Rule("token_embd.weight", "transformer.wte.weight", shape=(n_vocab, n_embd)),
            Rule("position_embd.weight", "transformer.wpe.weight", (), (context, n_embd), False),
            *linear("output_norm", "transformer.norm_f", (n_embd,)),
            *linear("output", "lm_head", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.norm_1", (n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYER}.norm_2", (n_embd,)),
            *linear(f"{BLK}.attn_qkv", f"{LAYER}.attn.Wqkv", (rows, n_embd)),
            *linear(f"{BLK}.attn_q_norm", f"{LAYER}.attn.q_ln", (n_embd,), required=False),
            *linear(f"{BLK}.attn_k_norm", f"{LAYER}.attn.k_ln", ((n_head_kv or n_head) * (n_embd // n_head),),
                    required=False),
            *linear(f"{BLK}.attn_output", f"{LAYER}.attn.out_proj", (n_embd, n_embd)),
            *linear(f"{BLK}.ffn_up", f"{LAYER}.ffn.up_proj", (n_ff, n_embd)),
            Rule(f"{BLK}.ffn.act.scales", f"{LAYER}.ffn.act.scales", (), (n_ff,), False),
            *linear(f"{BLK}.ffn_down", f"{LAYER}.ffn.down_proj", (n_embd, n_ff)),
        ),
    )  # fmt: skip


def _read(raw: Config) -> tuple[Config, Config]:
    """The config and its attn_config, through MptConfig where it takes them."""
    section = raw.section("attn_config")
    attention = section or Config({}, f"{raw.path}: attn_config")
    if raw.find("model_type") != "mpt" or raw.plain or attention.find("attn_type") not in (
        None, "multihead_attention", "multiquery_attention",
    ):  # fmt: skip
        if section is None:
            raise raw.wrong(("attn_config",), "an object")
        return raw, attention
    kept = {key: value for key, value in attention.values.items() if key in ATTENTION_KEYS}
    return raw.with_defaults(DEFAULTS), Config({**ATTENTION_DEFAULTS, **kept}, attention.path)
