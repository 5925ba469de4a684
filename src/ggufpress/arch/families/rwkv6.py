"""RWKV 6 (Finch), and Qwen 2 with its layers instead of attention.

How the checkpoint differs from the GGUF layout:

1. The matrices of the low-rank parts are transposed, of time_maa_w2 each of the five.
2. Five vectors that mix a token with the one before are one tensor: those of w, k, v, r and g. Other vectors lose their
   axes of length 1.
3. What leads out of a layer is halved once more every rescale_every layers.
4. Qwen's checkpoints have the five low-rank parts in the order r, k, v, w and g, GGUF in that of RWKV 6: w, k, v, r and g.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/rwkv.py (Rwkv6Model, RWKV6Qwen2Model).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.experts import in_layers
from ggufpress.arch.families.mamba import CONTEXT
from ggufpress.arch.gather import Gather, Regroup, Reshape, Then, Transpose
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import Array, Mover, Op, Scale, Shape
from ggufpress.arch.spec import Arch, Rule
from ggufpress.errors import MappingError
from ggufpress.gguf.values import Value, f32, u32

CLASSES = ("Rwkv6ForCausalLM", "RWKV6Qwen2ForCausalLM")
MIXED = ("w", "k", "v", "r", "g")
ORDER = (3, 1, 2, 0, 4)
"""Where the parts of MIXED stand in Qwen's checkpoints."""


@dataclass(frozen=True, slots=True)
class ReorderBlocks(Mover):
    """Equal blocks of rows in another order: block `order[0]` first. Exact: values only move."""

    order: tuple[int, ...]

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        if not shape or shape[0] % len(self.order):
            raise MappingError(f"{list(shape)} does not divide into {len(self.order)} blocks of rows")
        return shape

    def period(self, shape: Shape) -> int:
        """All rows."""
        return shape[0]

    def apply(self, rows: Array, period: int) -> Array:
        """The rows with their blocks in the new order."""
        return rows.reshape(len(self.order), -1)[list(self.order)].reshape(rows.shape)

    def inverse(self) -> ReorderBlocks:
        """The order that undoes this one."""
        return ReorderBlocks(tuple(int(i) for i in np.argsort(self.order)))

    def __str__(self) -> str:
        return f"reorder-blocks({' '.join(map(str, self.order))})"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a model with layers of RWKV 6. Raises ConfigError for a config that does not make sense."""
    return _qwen(config, hf_class) if hf_class == "RWKV6Qwen2ForCausalLM" else _rwkv6(config, hf_class)


def _rwkv6(config: Config, hf_class: str) -> Arch:
    n_layer, n_embd = block_count(config), config.positive("hidden_size")
    n_ff = config.optional_integer("intermediate_size") or int(n_embd * 3.5 // 32 * 32)
    n_vocab = config.with_defaults({"vocab_size": 1 << 16}).positive("vocab_size")
    every = config.integer("rescale_every")
    metadata: list[tuple[str, Value]] = [
        ("rwkv6.context_length", u32(CONTEXT)),
        ("rwkv6.embedding_length", u32(n_embd)),
        ("rwkv6.block_count", u32(n_layer)),
        ("rwkv6.attention.layer_norm_epsilon", f32(config.number("layer_norm_epsilon"))),
        ("rwkv6.rescale_every_n_layers", u32(every)),
        ("rwkv6.wkv.head_size", u32(config.positive("head_size"))),
        ("rwkv6.time_mix_extra_dim", u32(64 if n_embd == 4096 else 32)),
        ("rwkv6.time_decay_extra_dim", u32(128 if n_embd == 4096 else 64)),
        ("rwkv6.feed_forward_length", u32(n_ff)),
        (FILE_TYPE, u32(0)),
        ("rwkv6.attention.head_count", u32(0)),
    ]
    hf = "rwkv.blocks.{i}"
    inner = config.optional_integer("attention_hidden_size") or n_embd
    channel, blk = f"{hf}.feed_forward", f"{BLK}.channel_mix"
    return Arch(
        name="rwkv6",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="rwkv",
        metadata=tuple(metadata),
        rules=(
            Rule("token_embd.weight", "rwkv.embeddings.weight", shape=(n_vocab, n_embd)),
            *linear("token_embd_norm", "rwkv.blocks.0.pre_ln", (n_embd,)),
            *linear("output_norm", "rwkv.ln_out", (n_embd,)),
            Rule("output.weight", "head.weight", shape=(n_vocab, n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{hf}.ln1", (n_embd,)),
            *linear(f"{BLK}.attn_norm_2", f"{hf}.ln2", (n_embd,)),
            *_time_mix(n_embd, inner, f"{hf}.attention", "receptance key value"),
            *linear(f"{BLK}.time_mix_ln", f"{hf}.attention.ln_x", (inner,)),
            Rule(f"{BLK}.time_mix_first.weight", f"{hf}.attention.time_faaaa"),
            *halved(every, n_layer, *linear(f"{BLK}.time_mix_output", f"{hf}.attention.output", (n_embd, inner))),
            _vector(f"{blk}_lerp_k", f"{channel}.time_maa_k", n_embd),
            _vector(f"{blk}_lerp_r", f"{channel}.time_maa_r", n_embd),
            *linear(f"{blk}_key", f"{channel}.key", (n_ff, n_embd)),
            *linear(f"{blk}_receptance", f"{channel}.receptance", (n_embd, n_embd)),
            *halved(every, n_layer, *linear(f"{blk}_value", f"{channel}.value", (n_embd, n_ff))),
        ),
    )


def _qwen(config: Config, hf_class: str) -> Arch:
    s = sizes(config)
    name, wide = "rwkv6qwen2", s.n_embd >= 4096
    rank = config.with_defaults({"lora_rank_tokenshift": 64 if wide else 32}).positive("lora_rank_tokenshift")
    decay = config.with_defaults({"lora_rank_decay": 128 if wide else 64}).positive("lora_rank_decay")
    every = config.optional_integer("rescale_every") or 0
    metadata: list[tuple[str, Value]] = [
        (f"{name}.context_length", u32(CONTEXT)),
        (f"{name}.embedding_length", u32(s.n_embd)),
        (f"{name}.block_count", u32(s.n_layer)),
        (f"{name}.wkv.head_size", u32(s.n_embd // s.n_head)),
        (f"{name}.time_mix_extra_dim", u32(rank)),
        (f"{name}.time_decay_extra_dim", u32(decay)),
        (f"{name}.feed_forward_length", u32(s.n_ff)),
        (FILE_TYPE, u32(0)),
        (f"{name}.attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps"))),
        (f"{name}.token_shift_count", u32(1)),
        (f"{name}.attention.head_count_kv", u32(config.positive("num_key_value_heads"))),
        (f"{name}.attention.head_count", u32(0)),
    ]
    hf = f"{LAYERS}.self_attn"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm-or-bpe",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *norms(s),
            *_time_mix(s.n_embd, s.rows_q, hf, "q_proj k_proj v_proj", rank, s),
            *halved(every, s.n_layer, *linear(f"{BLK}.time_mix_output", f"{hf}.o_proj", (s.n_embd, s.rows_q))),
            *feed_forward(s.n_embd, s.n_ff),
        ),
    )


def _time_mix(n_embd: int, inner: int, hf: str, names: str, rank: int = 0, s: Sizes | None = None) -> tuple[Rule, ...]:
    """What takes the place of attention. `names` are those of r, k and v; `rank` that of the parts in Qwen's order (4)."""
    r, k, v = names.split()
    rows_kv = s.rows_kv if s else inner
    w1: tuple[Op, ...] = ()
    w2: Gather = Transpose()
    if s:
        blocks = tuple((i * rank, (i + 1) * rank) for i in ORDER)
        w1 = (ReorderBlocks(ORDER),)
        sorted_parts = Then(Regroup(1, blocks), Then(Reshape((5, rank, n_embd)), Transpose()))
        w2 = Then(Reshape((5 * rank, n_embd)), sorted_parts)
    mix = f"{BLK}.time_mix"
    return (
        *linear(f"{mix}_receptance", f"{hf}.{r}", (inner, n_embd)),
        *linear(f"{mix}_key", f"{hf}.{k}", (rows_kv, n_embd)),
        *linear(f"{mix}_value", f"{hf}.{v}", (rows_kv, n_embd)),
        *linear(f"{mix}_gate", f"{hf}.gate", (inner, n_embd)),
        Rule(f"{mix}_decay.weight", f"{hf}.time_decay", shape=(inner,), gather=Reshape((inner,))),
        Rule(f"{mix}_decay_w1.weight", f"{hf}.time_decay_w1", gather=Transpose()),
        Rule(f"{mix}_decay_w2.weight", f"{hf}.time_decay_w2", gather=Transpose()),
        _vector(f"{mix}_lerp_x", f"{hf}.time_maa_x", n_embd),
        Rule(f"{mix}_lerp_fused.weight", f"{hf}.time_maa_{{e}}", shape=(5, 1, 1, n_embd),
             gather=Reshape((5, 1, 1, n_embd)), stack=MIXED),
        Rule(f"{mix}_w1.weight", f"{hf}.time_maa_w1", w1, gather=Transpose()),
        Rule(f"{mix}_w2.weight", f"{hf}.time_maa_w2", gather=w2),
    )  # fmt: skip


def _vector(target: str, source: str, size: int) -> Rule:
    """A vector that is stored with axes of length 1 before it."""
    return Rule(f"{target}.weight", source, shape=(size,), gather=Reshape((size,)))


def halved(every: int, n_layer: int, *rules: Rule) -> tuple[Rule, ...]:
    """The rules with what leads out of the layers halved once more after each `every` layers (3)."""
    if not every:
        return rules
    return tuple(
        in_layers(range(first, min(first + every, n_layer)), _halved(rule, first // every))[0]
        for rule in rules
        for first in range(0, n_layer, every)
    )


def _halved(rule: Rule, times: int) -> Rule:
    # llama.cpp's converter leaves a bias as it is
    if not times or not rule.target.endswith(".weight"):
        return rule
    return Rule(rule.target, rule.source, (*rule.ops, Scale(0.5**times)), rule.shape, rule.required)
