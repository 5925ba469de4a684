"""Jais and Jais 2.

How the checkpoint differs from the GGUF layout:

1. Jais' matrices are stored transposed (Conv1D): their rows are inputs. c_fc2 is the gate.
2. Its embedding and its output matrix are scaled by constants of the config.
3. Its positions are biases of attention; the largest follows from the slopes in the checkpoint, and is a key before all others.
4. Jais 2 has the names of Llama, biases, and no gate; nothing is permuted.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/jais.py. transformers 4.57.6 has a class for neither.
"""

from __future__ import annotations

import math

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count, decoder_metadata
from ggufpress.arch.gather import Transpose
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, linear, norms, plain_feed_forward, sizes
from ggufpress.arch.ops import Op, Scale
from ggufpress.arch.spec import Arch, Drop, Rule, Stored
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, f32, u32

CLASSES = ("JAISLMHeadModel", "Jais2ForCausalLM")
LAYER = "transformer.h.{i}"
LARGEST_BIAS = 8.0
"""Where the checkpoint has no slopes."""


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Jais model. Raises ConfigError for a config that does not make sense."""
    return _jais2(config, hf_class) if hf_class == "Jais2ForCausalLM" else _jais(config, hf_class)


def _jais2(config: Config, hf_class: str) -> Arch:
    s = sizes(config)
    return Arch(
        name="jais2",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(*decoder_metadata(config, "jais2"), ("jais2.rope.dimension_count", u32(s.head_dim))),
        rules=(*ends(s), *norms(s), *attention(s), *plain_feed_forward(s, f"{LAYERS}.mlp", "up_proj", "down_proj")),
    )


def _jais(config: Config, hf_class: str) -> Arch:
    if config.find("activation_function") != "swiglu" or config.find("position_embedding_type") != "alibi":
        raise UnsupportedError(
            f"{config.path}: llama.cpp knows Jais with activation swiglu and positions by alibi alone"
        )
    n_embd, n_layer, n_head = config.positive("n_embd"), block_count(config), config.positive("n_head")
    n_vocab, n_ff = config.positive("vocab_size"), config.positive("n_inner")
    return Arch(
        name="jais",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="bpe",
        metadata=(
            ("jais.block_count", u32(n_layer)),
            ("jais.context_length", u32(config.integer("n_positions"))),
            ("jais.embedding_length", u32(n_embd)),
            ("jais.feed_forward_length", u32(n_ff)),
            ("jais.attention.head_count", u32(n_head)),
            ("jais.attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon"))),
            (FILE_TYPE, u32(0)),
        ),
        rules=(
            Rule("token_embd.weight", "transformer.wte.weight", _embedding_scale(config), (n_vocab, n_embd)),
            *linear("output_norm", "transformer.ln_f", (n_embd,)),
            *linear("output", "lm_head", (n_vocab, n_embd), _width_scale(config), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYER}.ln_1", (n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYER}.ln_2", (n_embd,)),
            *_transposed("attn_qkv", "attn.c_attn", 3 * n_embd, n_embd),
            *_transposed("attn_output", "attn.c_proj", n_embd, n_embd),
            *_transposed("ffn_up", "mlp.c_fc", n_ff, n_embd),
            *_transposed("ffn_gate", "mlp.c_fc2", n_ff, n_embd),
            *_transposed("ffn_down", "mlp.c_proj", n_embd, n_ff),
        ),
        drops=tuple(Drop(f"{LAYER}.attn.{name}", "the causal mask, which llama.cpp knows") for name in ("bias", "masked_bias")),
        stored=(
            Stored(
                "jais.attention.max_alibi_bias",
                "transformer.relative_pe.slopes",
                lambda slopes: _largest_bias(slopes[0], n_head),
                f32(LARGEST_BIAS),
            ),
        ),
    )  # fmt: skip


def _transposed(target: str, source: str, rows: int, cols: int) -> tuple[Rule, Rule]:
    hf, blk = f"{LAYER}.{source}", f"{BLK}.{target}"
    return (
        Rule(f"{blk}.weight", f"{hf}.weight", shape=(rows, cols), gather=Transpose()),
        Rule(f"{blk}.bias", f"{hf}.bias", shape=(rows,), required=False),
    )


def _embedding_scale(config: Config) -> tuple[Op, ...]:
    return (Scale(config.number("mup_embeddings_scale", "embeddings_scale")),)


def _width_scale(config: Config) -> tuple[Op, ...]:
    if config.find("mup_output_alpha") is not None:
        return (Scale(config.number("mup_output_alpha") * config.number("mup_width_scale")),)
    return (Scale(config.number("width_scale")),)


def _largest_bias(slope: float, n_head: int) -> Value:
    """What the first head's slope was computed from: 2 to the power of -bias / n, n the power of two up to n_head."""
    if not 0 < slope < math.inf:
        raise UnsupportedError(f"the first of transformer.relative_pe.slopes is {slope}, no slope of a bias")
    return f32(-round(math.log2(slope) * 2 ** math.floor(math.log2(n_head))))
