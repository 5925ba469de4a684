"""Refact.

How the checkpoint differs from the GGUF layout:

1. There is one key and one value for all queries, in one matrix; GGUF has two.
2. gate and up are one matrix, gate first. Their width follows from n_embd: 8/3 of it, rounded up to a multiple of 256.
3. Norms have no biases; positions are biases of attention, so nothing is rotated.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/refact.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, u32

CLASSES = ("GPTRefactForCausalLM",)
LAYER = "transformer.h.{i}"
MULTIPLE = 256


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Refact model. Raises ConfigError for a config that does not make sense."""
    n_embd, n_layer, n_head = config.positive("n_embd"), block_count(config), config.positive("n_head")
    n_vocab, size = config.positive("vocab_size"), n_embd // n_head
    n_ff = -(-int(8 * n_embd / 3) // MULTIPLE) * MULTIPLE
    return Arch(
        name="refact",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="refact",
        metadata=(
            ("refact.context_length", u32(config.integer("n_positions"))),
            ("refact.embedding_length", u32(n_embd)),
            ("refact.feed_forward_length", u32(n_ff)),
            ("refact.block_count", u32(n_layer)),
            ("refact.attention.head_count", u32(n_head)),
            ("refact.attention.head_count_kv", u32(1)),
            ("refact.attention.layer_norm_rms_epsilon", f32(config.number("layer_norm_epsilon"))),
            (FILE_TYPE, u32(0)),
        ),
        rules=(
            Rule("token_embd.weight", "transformer.wte.weight", shape=(n_vocab, n_embd)),
            *linear("output_norm", "transformer.ln_f", (n_embd,), required=False),
            *linear("output", "lm_head", (n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.ln_1", (n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYER}.ln_2", (n_embd,)),
            Rule(f"{BLK}.attn_q.weight", f"{LAYER}.attn.q.weight", shape=(n_embd, n_embd)),
            *_parts("attn_k", "attn_v", "attn.kv", size, n_embd),
            *linear(f"{BLK}.attn_output", f"{LAYER}.attn.c_proj", (n_embd, n_embd)),
            *_parts("ffn_gate", "ffn_up", "mlp.gate_up_proj", n_ff, n_embd),
            *linear(f"{BLK}.ffn_down", f"{LAYER}.mlp.c_proj", (n_embd, n_ff)),
        ),
    )


def _parts(first: str, second: str, source: str, rows: int, cols: int) -> tuple[Rule, ...]:
    return tuple(
        Rule(f"{BLK}.{target}.weight", f"{LAYER}.{source}.weight", (), (rows, cols), gather=Regroup(1, (part,)))
        for target, part in ((first, (0, rows)), (second, (rows, 2 * rows)))
    )
