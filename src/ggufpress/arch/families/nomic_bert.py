"""Nomic's embedding models, dense and as a mixture of experts.

How the checkpoint differs from the GGUF layout:

1. Names may begin with "bert.". Queries, keys and values are one matrix; positions are rotary.
2. The dense model has a gated feed-forward without biases. In the mixture, layers without experts have a plain one with
   biases; every moe_every_n_layers-th has experts, stored as one matrix each way, the second one transposed.
3. The context is what the model was trained for, not n_positions.
4. The tokenizer is WordPiece, or XLM-RoBERTa's, whose mask token is put where its model file lacks it.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py (NomicBertModel). transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.encoders import (
    OLD_NORM_NAMES,
    UNUSED_HEADS,
    EncoderSizes,
    encoder_metadata,
    encoder_sizes,
    label_keys,
    output_labels,
    token_types,
)
from ggufpress.arch.gather import Reshape, Then, Transpose
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import u32

CLASSES = ("NomicBertModel",)
CONTEXTS = {(8192, 2048): 2048, (2048, 2048): 512}
"""Positions that a model was trained for, by n_positions and max_trained_positions."""


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Nomic model. Raises ConfigError for a config that llama.cpp has no model for."""
    mixed = bool(raw.find("moe_every_n_layers"))
    config = _checked(raw, mixed)
    name = "nomic-bert-moe" if mixed else "nomic-bert"
    s = encoder_sizes(config)
    hf = "encoder.layers.{i}"
    labels = output_labels(config, known=False)
    period = config.positive("moe_every_n_layers") if mixed else 0
    keys = [*label_keys(name, () if len(labels) == 2 and labels[0] == "LABEL_0" else labels)]
    if mixed:
        keys += [
            (f"{name}.moe_every_n_layers", u32(period)),
            (f"{name}.expert_used_count", u32(config.positive("moe_top_k"))),
        ]
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="nomic",
        metadata=tuple(encoder_metadata(config, name)),
        rules=(
            Rule("token_embd.weight", "embeddings.word_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
            Rule("token_types.weight", "embeddings.token_type_embeddings.weight", shape=(token_types(config), s.n_embd),
                 required=False),
            *linear("token_embd_norm", "emb_ln", (s.n_embd,)),
            *linear(f"{BLK}.attn_qkv", f"{hf}.attn.Wqkv", (3 * s.n_embd, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}.attn.out_proj", (s.n_embd, s.n_embd)),
            *linear(f"{BLK}.attn_output_norm", f"{hf}.norm1", (s.n_embd,)),
            *linear(f"{BLK}.layer_output_norm", f"{hf}.norm2", (s.n_embd,)),
            *(_mixture(config, s, period) if mixed else _gated(s)),
        ),
        drops=(*UNUSED_HEADS, Drop("encoder.layers.{i}.mlp.experts.bias", "llama.cpp has no bias of experts")),
        pooled=True,
        pooled_keys=tuple(keys),
        prefixes=(("bert.", ""),),
        endings=OLD_NORM_NAMES,
        n_token_types=token_types(config),
    )  # fmt: skip


def _checked(config: Config, mixed: bool) -> Config:
    wanted = {
        "activation_function": "gelu" if mixed else "swiglu", "causal": False, "qkv_proj_bias": mixed,
        "mlp_fc1_bias": mixed, "mlp_fc2_bias": mixed, "prenorm": False, "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False, "rotary_emb_scale_base": None,
    }  # fmt: skip
    for key, value in wanted.items():
        if key not in config.values or config.find(key) != value:
            raise config.wrong((key,), f"{value!r}, which llama.cpp computes,")
    trained = config.optional_integer("max_trained_positions")
    context = CONTEXTS.get((config.integer("n_positions"), 2048 if trained is None else trained))
    if context is None:
        raise config.wrong(("n_positions",), "8192 or 2048, with max_trained_positions of 2048,")
    return config.replace(n_positions=context)


def _gated(s: EncoderSizes) -> tuple[Rule, ...]:
    hf = "encoder.layers.{i}.mlp"
    return (
        *linear(f"{BLK}.ffn_up", f"{hf}.fc11", (s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_gate", f"{hf}.fc12", (s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{hf}.fc2", (s.n_embd, s.n_ff)),
    )


def _mixture(config: Config, s: EncoderSizes, period: int) -> tuple[Rule, ...]:
    n_expert = config.positive("num_local_experts", "num_experts")
    apart = Reshape((n_expert, s.n_ff, s.n_embd))
    rules: list[Rule] = []
    for i in range(s.n_layer):
        blk, hf = f"blk.{i}", f"encoder.layers.{i}.mlp"
        if i % period == 1:
            rules += [
                Rule(f"{blk}.ffn_gate_inp.weight", f"{hf}.router.layer.weight", shape=(n_expert, s.n_embd)),
                Rule(f"{blk}.ffn_up_exps.weight", f"{hf}.experts.mlp.w1", shape=(n_expert, s.n_ff, s.n_embd),
                     gather=apart),
                Rule(f"{blk}.ffn_down_exps.weight", f"{hf}.experts.mlp.w2", shape=(n_expert, s.n_embd, s.n_ff),
                     gather=Then(apart, Transpose())),
            ]  # fmt: skip
        else:
            rules += [
                *linear(f"{blk}.ffn_up", f"{hf}.fc1", (s.n_ff, s.n_embd)),
                *linear(f"{blk}.ffn_down", f"{hf}.fc2", (s.n_embd, s.n_ff)),
            ]
    return tuple(rules)
