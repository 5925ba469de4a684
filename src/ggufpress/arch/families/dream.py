"""Dream and LLaDA: diffusion models with a decoder's layers.

How the checkpoint differs from the GGUF layout:

1. Attention looks both ways. Dream has the tensors of Qwen2, with nothing permuted; LLaDA has names of its own, and its q
   and k are permuted per head.
2. The token that stands for text to come is a key.
3. Added tokens of the tokenizer are taken as they are marked.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/dream.py, conversion/llada.py (LLaDAModel).
transformers 4.57.6 has a class for neither.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count, decoder_metadata
from ggufpress.arch.layers import BLK, attention, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import RopePermute
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, flag, u32

NAMES = {"DreamModel": "dream", "LLaDAModelLM": "llada"}
CLASSES = tuple(NAMES)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a diffusion model. Raises ConfigError for a config that does not make sense."""
    return _dream(config, hf_class) if NAMES[hf_class] == "dream" else _llada(config, hf_class)


def _dream(config: Config, hf_class: str) -> Arch:
    s = sizes(config)
    metadata: list[tuple[str, Value]] = [*decoder_metadata(config, "dream"), ("dream.attention.causal", flag(False))]
    if (mask := config.optional_integer("mask_token_id")) is not None:
        metadata.append(("tokenizer.ggml.mask_token_id", u32(mask)))
    return Arch(
        name="dream",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="dream",
        metadata=tuple(metadata),
        rules=(*ends(s), *norms(s), *attention(s), *feed_forward(s.n_embd, s.n_ff)),
        pooled=True,
    )


def _llada(config: Config, hf_class: str) -> Arch:
    n_layer, n_embd = block_count(config), config.positive("hidden_size", "d_model")
    n_head = config.positive("num_attention_heads", "n_heads")
    n_head_kv = config.optional_integer("num_key_value_heads", "n_kv_heads") or n_head
    size = config.optional_integer("head_dim") or n_embd // n_head
    n_vocab, n_ff = config.positive("vocab_size"), config.positive("mlp_hidden_size")
    keys = config.with_defaults({"max_sequence_length": 4096})
    layer = "model.transformer.blocks.{i}"
    return Arch(
        name="llada",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="bpe-as-stated",
        metadata=(
            *decoder_metadata(config, "llada"),
            ("llada.vocab_size", u32(n_vocab)),
            ("llada.rope.dimension_count", u32(size)),
            ("llada.context_length", u32(keys.integer("max_sequence_length"))),
            ("llada.embedding_length", u32(config.integer("d_model"))),
            ("llada.feed_forward_length", u32(n_ff)),
            ("llada.attention.causal", flag(False)),
            ("diffusion.shift_logits", flag(False)),
        ),
        rules=(
            Rule("token_embd.weight", "model.transformer.wte.weight", shape=(n_vocab, n_embd)),
            *linear("output_norm", "model.transformer.ln_f", (n_embd,)),
            *linear("output", "model.transformer.ff_out", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{layer}.attn_norm", (n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{layer}.ff_norm", (n_embd,)),
            *linear(f"{BLK}.attn_q", f"{layer}.q_proj", (n_head * size, n_embd), (RopePermute(n_head),)),
            *linear(f"{BLK}.attn_k", f"{layer}.k_proj", (n_head_kv * size, n_embd), (RopePermute(n_head_kv),)),
            *linear(f"{BLK}.attn_v", f"{layer}.v_proj", (n_head_kv * size, n_embd)),
            *linear(f"{BLK}.attn_output", f"{layer}.attn_out", (n_embd, n_head * size)),
            *linear(f"{BLK}.ffn_gate", f"{layer}.ff_proj", (n_ff, n_embd)),
            *linear(f"{BLK}.ffn_up", f"{layer}.up_proj", (n_ff, n_embd)),
            *linear(f"{BLK}.ffn_down", f"{layer}.ff_out", (n_embd, n_ff)),
        ),
        vocab_keys=(("tokenizer.ggml.add_bos_token", flag(True)),),
        pooled=True,
    )
