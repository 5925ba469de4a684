"""Ling and Ring 2 (Bailing MoE V2), and Sarvam.

How the checkpoint differs from the GGUF layout:

1. Queries, keys and values are one matrix in both, with norms for the queries and keys of a head.
2. The first layers are dense (first_k_dense_replace); in the others, experts are stacked and shared experts are one.
3. Half of each head is rotated, unless the config has another partial_rotary_factor; in Sarvam the whole head.
4. What corrects the scores of Sarvam's router is made to have the mean 0.
5. Layers behind those of the model predict further tokens: kept, and counted as blocks. The config alone says how many.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bailingmoe.py (BailingMoeV2Model, SarvamMoEModel).
transformers 4.57.6 has no class for them: the config is read as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import in_layers, router, stacks
from ggufpress.arch.later_layers import later_layers, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, computed_frequencies, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import Array, Op
from ggufpress.arch.rope import rotary_share
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, f32, flag, u32

CLASSES = ("BailingMoeV2ForCausalLM", "SarvamMoEForCausalLM", "modeling_sarvam_moe.SarvamMoEForCausalLM")
NAME = "bailingmoe2"


@dataclass(frozen=True, slots=True)
class Centered(Op):
    """Each weight less the mean of all.

    shapes: any -> the same. The mean is the exact one, rounded once to F32; torch's may differ in its last digit.
    """

    mean: float | None = None

    def measured(self, slabs: Iterable[Array]) -> Op:
        """The op that knows the mean."""
        total = count = 0.0
        for rows in slabs:
            total, count = total + float(np.sum(rows, dtype=np.float64)), count + rows.size
        return Centered(total / count)

    def apply(self, rows: Array, period: int) -> Array:
        """The differences, in F32."""
        result: Array = rows - np.float32(self.mean or 0)
        return result

    def __str__(self) -> str:
        return "centered"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Bailing MoE V2 model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    sarvam = "Sarvam" in hf_class
    later = config.optional_integer("num_nextn_predict_layers")
    stored = bool(later_layers(config, s.n_layer))
    n_layer, n_dense = s.n_layer + (later or 0 if stored else 0), config.integer("first_k_dense_replace")
    n_expert = config.positive("num_local_experts", "num_experts")
    share = rotary_share(config)
    rotated = s.head_dim if sarvam else int(s.head_dim * (0.5 if share is None else share))
    keys = dict(decoder_metadata(config, NAME))
    keys[f"{NAME}.block_count"] = u32(s.n_layer + (later or 0))
    keys[f"{NAME}.rope.dimension_count"] = u32(rotated)
    keys |= _metadata(config, later)
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(keys.items()),
        rules=(
            Rule("token_embd.weight", "model.word_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "model.norm", (s.n_embd,)),
            *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
            *norms(s),
            *linear(f"{BLK}.attn_qkv", f"{LAYERS}.attention.query_key_value", (s.rows_q + 2 * s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{LAYERS}.attention.dense", (s.n_embd, s.rows_q)),
            *linear(f"{BLK}.attn_q_norm", f"{LAYERS}.attention.query_layernorm", (s.head_dim,)),
            *linear(f"{BLK}.attn_k_norm", f"{LAYERS}.attention.key_layernorm", (s.head_dim,)),
            *in_layers(range(min(n_dense, n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, n_layer), *_experts(config, s, n_expert, (Centered(),) if sarvam else ())),
            *_later(s, range(s.n_layer, n_layer)),
        ),
        drops=computed_frequencies(),
    )


def _metadata(config: Config, later: int | None) -> dict[str, Value]:
    n_ff, n_shared = config.integer("moe_intermediate_size"), config.integer("num_shared_experts")
    width = config.with_defaults({"moe_shared_expert_intermediate_size": n_ff * n_shared})
    keys = dict(
        needed(
            width,
            NAME,
            ("leading_dense_block_count", "first_k_dense_replace"),
            ("vocab_size", "vocab_size"),
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_feed_forward_length", "moe_shared_expert_intermediate_size"),
        )
    )
    keys[f"{NAME}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    keys[f"{NAME}.expert_shared_count"] = u32(n_shared)
    keys[f"{NAME}.expert_weights_norm"] = flag(config.flag("norm_topk_prob", default=False))
    if later is not None:
        keys[f"{NAME}.nextn_predict_layers"] = u32(later)
    return keys


def _experts(config: Config, s: Sizes, n_expert: int, center: tuple[Op, ...]) -> tuple[Rule, ...]:
    n_ff, n_shared = config.positive("moe_intermediate_size"), config.integer("num_shared_experts")
    shared = config.optional_integer("moe_shared_expert_intermediate_size") or n_ff * n_shared
    bias = f"{LAYERS}.mlp.gate.expert_bias"
    return (
        router(n_expert, s.n_embd),
        Rule(f"{BLK}.exp_probs_b.bias", bias, center, (n_expert,), required=False),
        *stacks(n_expert, n_ff, s.n_embd),
        *(feed_forward(s.n_embd, shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if n_shared else ()),
    )


def _later(s: Sizes, layers: range) -> tuple[Rule, ...]:
    last = linear(f"{BLK}.layer_output_norm", f"{LAYERS}.final_layernorm", (s.n_embd,), required=False)
    return (*prediction(s, layers), *in_layers(layers, *last))
