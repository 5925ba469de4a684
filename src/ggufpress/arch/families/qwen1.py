"""The first Qwen.

How the checkpoint differs from the GGUF layout:

1. Queries, keys and values are one matrix with a bias; the feed-forward's matrices are w1 (up), w2 (gate) and c_proj,
   and intermediate_size counts both of w1 and w2.
2. The tokenizer is qwen.tiktoken with code from the repository, which is not run (vocab/tiktoken_files.py).

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwen.py (QwenModel). transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count, decoder_metadata
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Rule

CLASSES = ("QWenLMHeadModel",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a first Qwen. Raises ConfigError for a config that does not make sense."""
    n_embd, n_vocab = config.positive("hidden_size"), config.positive("vocab_size")
    n_ff = config.positive("intermediate_size") // 2
    hf = "transformer.h.{i}"
    return Arch(
        name="qwen",
        hf_class=hf_class,
        n_layer=block_count(config),
        n_expert=0,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=tuple(decoder_metadata(config, "qwen")),
        rules=(
            Rule("token_embd.weight", "transformer.wte.weight", shape=(n_vocab, n_embd)),
            *linear("output_norm", "transformer.ln_f", (n_embd,)),
            *linear("output", "lm_head", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{hf}.ln_1", (n_embd,)),
            *linear(f"{BLK}.attn_qkv", f"{hf}.attn.c_attn", (3 * n_embd, n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}.attn.c_proj", (n_embd, n_embd)),
            *linear(f"{BLK}.ffn_norm", f"{hf}.ln_2", (n_embd,)),
            *linear(f"{BLK}.ffn_up", f"{hf}.mlp.w1", (n_ff, n_embd)),
            *linear(f"{BLK}.ffn_gate", f"{hf}.mlp.w2", (n_ff, n_embd)),
            *linear(f"{BLK}.ffn_down", f"{hf}.mlp.c_proj", (n_embd, n_ff)),
        ),
    )
