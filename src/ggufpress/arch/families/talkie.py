"""Talkie.

How the checkpoint differs from the GGUF layout:

1. There are no norm weights. Gains are scales: of attention's output, of the feed-forward, of the skip from the embedding, and
   one per head, which GGUF holds as the norm of queries; that of the output matrix is a key before all others.
2. It rotates backwards: the second half of each head of q and k changes its sign instead.
3. The epsilon is that of float32, which torch takes where none is given.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/talkie.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.gather import Reshape
from ggufpress.arch.layers import BLK, Sizes, sizes
from ggufpress.arch.ops import Array, Op, Shape
from ggufpress.arch.spec import Arch, Rule, Stored
from ggufpress.errors import MappingError
from ggufpress.gguf.values import f32

CLASSES = ("TalkieForCausalLM",)
LAYER = "model.blocks.{i}"


@dataclass(frozen=True, slots=True)
class FlipHalf(Op):
    """The second half of the rows of each head with the other sign. shapes: (heads * head_dim, cols) -> the same. Exact."""

    head_dim: int

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        if not shape or shape[0] % self.head_dim:
            raise MappingError(f"{shape[0] if shape else 0} rows are no heads of {self.head_dim}")
        return shape

    def period(self, shape: Shape) -> int:
        """One head."""
        return self.head_dim

    def apply(self, rows: Array, period: int) -> Array:
        """The rows of whole heads, half of them negated."""
        signs = np.ones((1, period, 1), rows.dtype)
        signs[:, period // 2 :] = -1
        result: Array = (rows.reshape(-1, period, rows.shape[-1]) * signs).reshape(rows.shape)
        return result

    def inverse(self) -> FlipHalf:
        """The same."""
        return self

    def __str__(self) -> str:
        return f"flip-half({self.head_dim})"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Talkie model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    if config.find("head_dim") is None:
        raise config.wrong(("head_dim",), "a positive integer")
    return Arch(
        name="talkie",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "talkie"),
            ("talkie.attention.layer_norm_rms_epsilon", f32(float(np.finfo(np.float32).eps))),
        ),
        rules=(
            Rule("token_embd.weight", "model.embed.weight", shape=(s.n_vocab, s.n_embd)),
            Rule("output.weight", "lm_head", (), (s.n_vocab, s.n_embd), False),
            Rule("output.weight", "lm_head.weight", (), (s.n_vocab, s.n_embd), False),
            *_layer(s),
        ),
        stored=(Stored("talkie.logit_scale", "lm_head_gain.w_g", lambda values: f32(values[0])),),
    )


def _layer(s: Sizes) -> tuple[Rule, ...]:
    q, k = (s.rows_q, s.n_embd), (s.rows_kv, s.n_embd)
    flip = (FlipHalf(s.head_dim),)
    column = Reshape((s.n_head, 1))
    return (
        Rule(f"{BLK}.attn_q.weight", f"{LAYER}.attn.attn_query.weight", flip, q),
        Rule(f"{BLK}.attn_k.weight", f"{LAYER}.attn.attn_key.weight", flip, k),
        Rule(f"{BLK}.attn_v.weight", f"{LAYER}.attn.attn_value.weight", shape=k),
        Rule(f"{BLK}.attn_output.weight", f"{LAYER}.attn.attn_resid.weight", shape=(s.n_embd, s.rows_q)),
        Rule(f"{BLK}.attn_q_norm.weight", f"{LAYER}.attn.head_gain.head_g", (), (s.n_head, 1), gather=column),
        Rule(f"{BLK}.attn_output.scale", f"{LAYER}.attn_gain.a_g", shape=(1,)),
        Rule(f"{BLK}.ffn_gate.weight", f"{LAYER}.mlp.mlp_gate.weight", shape=(s.n_ff, s.n_embd)),
        Rule(f"{BLK}.ffn_up.weight", f"{LAYER}.mlp.mlp_linear.weight", shape=(s.n_ff, s.n_embd)),
        Rule(f"{BLK}.ffn_down.weight", f"{LAYER}.mlp.mlp_resid.weight", shape=(s.n_embd, s.n_ff)),
        Rule(f"{BLK}.ffn_down.scale", f"{LAYER}.mlp_gain.a_g", shape=(1,)),
        Rule(f"{BLK}.layer_output_scale.weight", f"{LAYER}.embed_skip.a_g", shape=(1,)),
    )
