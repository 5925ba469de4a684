"""Ling and Ring, first generation (Bailing MoE).

How the checkpoint differs from the GGUF layout:

1. Queries, keys and values are one matrix, one after the other; the rows of q and k are permuted per head.
2. Experts are stacked, shared experts are one; all layers have experts, whatever first_k_dense_replace says.
3. With norm_head, each column of the output matrix is divided by its length: llama.cpp does not do it when it runs.
4. The sum of the experts is not scaled.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bailingmoe.py (BailingMoeModel).
transformers 4.57.6 has no class for model_type bailing_moe: the config is read as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import router, stacks
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, LAYERS, Sizes, computed_frequencies, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import Array, Op, RopePermute, Shape
from ggufpress.arch.spec import Arch, Rule
from ggufpress.errors import MappingError
from ggufpress.gguf.values import f32, flag, u32

CLASSES = ("BailingMoeForCausalLM",)


@dataclass(frozen=True, slots=True)
class UnitColumns(Op):
    """Each column divided by its length, plus 1e-7 against zeros. It must see all rows to know the lengths.

    shapes: (rows, cols) -> the same. Exact: as torch sums the squares, row by row in F32.
    """

    lengths: tuple[float, ...] = ()

    def measured(self, slabs: Iterable[Array]) -> Op:
        """The op that knows the lengths."""
        total = np.float32(0)
        for rows in slabs:
            squares = rows * rows
            squares[0] += total
            total = np.add.reduce(squares, axis=0)
        return UnitColumns(tuple(float(x) for x in np.sqrt(total) + np.float32(1e-7)))

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        if len(shape) != 2:
            raise MappingError(f"{list(shape)} is no matrix whose columns could have a length")
        return shape

    def apply(self, rows: Array, period: int) -> Array:
        """The quotients, in F32."""
        result: Array = rows / np.array(self.lengths, np.float32)
        return result

    def __str__(self) -> str:
        return "unit-columns"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Bailing MoE model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_expert, n_shared = config.positive("num_local_experts", "num_experts"), config.integer("num_shared_experts")
    n_ff = config.positive("moe_intermediate_size")
    unit = (UnitColumns(),) if config.flag("norm_head", default=False) else ()
    return Arch(
        name="bailingmoe",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "bailingmoe"),
            ("bailingmoe.rope.dimension_count", u32(s.head_dim)),
            ("bailingmoe.leading_dense_block_count", u32(config.integer("first_k_dense_replace"))),
            ("bailingmoe.vocab_size", u32(s.n_vocab)),
            ("bailingmoe.expert_feed_forward_length", u32(n_ff)),
            ("bailingmoe.expert_weights_scale", f32(1.0)),
            ("bailingmoe.expert_shared_count", u32(n_shared)),
            ("bailingmoe.expert_weights_norm", flag(config.flag("norm_topk_prob", default=False))),
        ),
        rules=(
            Rule("token_embd.weight", "model.word_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "model.norm", (s.n_embd,)),
            Rule("output.weight", "lm_head.weight", unit, (s.n_vocab, s.n_embd), required=False),
            *norms(s),
            *_attention(s),
            router(n_expert, s.n_embd),
            *stacks(n_expert, n_ff, s.n_embd),
            *(feed_forward(s.n_embd, n_ff * n_shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if n_shared else ()),
        ),
        drops=computed_frequencies(),
    )


def _attention(s: Sizes) -> tuple[Rule, ...]:
    both, q, k = f"{LAYERS}.attention.query_key_value.weight", s.rows_q, s.rows_kv
    return (
        Rule(f"{BLK}.attn_q.weight", both, (RopePermute(s.n_head),), (q, s.n_embd), gather=Regroup(1, ((0, q),))),
        Rule(
            f"{BLK}.attn_k.weight", both, (RopePermute(s.n_head_kv),), (k, s.n_embd), gather=Regroup(1, ((q, q + k),))
        ),
        Rule(f"{BLK}.attn_v.weight", both, (), (k, s.n_embd), gather=Regroup(1, ((q + k, q + 2 * k),))),
        Rule(f"{BLK}.attn_output.weight", f"{LAYERS}.attention.dense.weight", shape=(s.n_embd, q)),
    )
