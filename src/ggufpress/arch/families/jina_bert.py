"""Jina's embedding models, second and third generation.

How the checkpoint differs from the GGUF layout:

1. The second generation has no positions (ALiBi). Its feed-forward is gated, gate and up in one matrix; variants differ
   in the names, and one has norms of queries and keys.
2. The third is an XLM-RoBERTa with rotary embeddings; its class is XLMRobertaModel, and `lora_adaptations` tells it.
3. The third has adapters. The reference writes each to a file of its own; here they are left out.
4. Pooler and heads of pre-training are left out, a classifier of the second generation becomes cls.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py (JinaBertV2Model, XLMRobertaModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import read_through_class
from ggufpress.arch.encoders import (
    BERT_DEFAULTS,
    OLD_NORM_NAMES,
    UNUSED_HEADS,
    are_dummies,
    encoder_class,
    encoder_metadata,
    encoder_sizes,
    head,
    label_keys,
    output_labels,
    token_types,
)
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.ops import Shape
from ggufpress.arch.spec import Arch, Drop, Rule

CLASSES = ("JinaBertModel", "JinaBertForMaskedLM")
ADAPTED = ("embeddings.word_embeddings", "embeddings.token_type_embeddings", "pooler.dense", "encoder.layers.{i}.mixer.Wqkv",
           "encoder.layers.{i}.mixer.out_proj", "encoder.layers.{i}.mlp.fc1", "encoder.layers.{i}.mlp.fc2")  # fmt: skip

# its config states model_type bert, whose class reads it
CONFIG_CLASSES = {"bert": encoder_class(BERT_DEFAULTS)}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a model of the second generation. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    labels = output_labels(config, known=config is not raw)
    name = "jina-bert-v2"
    s = encoder_sizes(config)
    hf, square = "encoder.layer.{i}", (s.n_embd, s.n_embd)
    rules = (
        Rule("token_embd.weight", "embeddings.word_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
        Rule("token_types.weight", "embeddings.token_type_embeddings.weight", shape=(token_types(config), s.n_embd)),
        *linear("token_embd_norm", "embeddings.LayerNorm", (s.n_embd,)),
        *linear(f"{BLK}.attn_q", f"{hf}.attention.self.query", square),
        *linear(f"{BLK}.attn_k", f"{hf}.attention.self.key", square),
        *linear(f"{BLK}.attn_v", f"{hf}.attention.self.value", square),
        *linear(f"{BLK}.attn_q_norm", f"{hf}.attention.self.layer_norm_q", (s.n_embd,), required=False),
        *linear(f"{BLK}.attn_k_norm", f"{hf}.attention.self.layer_norm_k", (s.n_embd,), required=False),
        *linear(f"{BLK}.attn_output", f"{hf}.attention.output.dense", square),
        *linear(f"{BLK}.attn_output_norm", f"{hf}.attention.output.LayerNorm", (s.n_embd,), required=False),
        *linear(f"{BLK}.attn_norm_2", f"{hf}.layer_norm_1", (s.n_embd,), required=False),
        *_either("ffn_up", ("mlp.gated_layers", "mlp.up_gated_layer"), (2 * s.n_ff, s.n_embd)),
        *_either("ffn_down", ("mlp.wo", "mlp.down_layer"), (s.n_embd, s.n_ff)),
        *_either("layer_output_norm", ("mlp.layernorm", "layer_norm_2"), (s.n_embd,)),
        *head("classifier", "cls"),
    )
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="jina-v2",
        metadata=tuple(encoder_metadata(config, name)),
        rules=rules,
        drops=UNUSED_HEADS,
        pooled=True,
        pooled_keys=label_keys(name, () if are_dummies(labels) else labels),
        prefixes=(("bert.", ""),),
        endings=OLD_NORM_NAMES,
        n_token_types=token_types(config),
    )


def _either(target: str, names: tuple[str, str], shape: Shape) -> tuple[Rule, Rule]:
    """A linear layer or norm that one variant calls by the first name, the other by the second."""
    first, second = (f"encoder.layer.{{i}}.{name}" for name in names)
    return (
        Rule(f"{BLK}.{target}.weight", f"{first}.weight", shape=shape, copies=(f"{second}.weight",)),
        Rule(f"{BLK}.{target}.bias", f"{first}.bias", shape=shape[:1], copies=(f"{second}.bias",), required=False),
    )


def describe_v3(config: Config, hf_class: str, labels: tuple[str, ...]) -> Arch:
    """The description of a model of the third generation, from its config without the positions of padding."""
    name = "jina-bert-v3"
    s = encoder_sizes(config)
    hf = "encoder.layers.{i}"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="xlm-roberta",
        metadata=tuple(encoder_metadata(config, name)),
        rules=(
            Rule("token_embd.weight", "embeddings.word_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
            Rule(
                "token_types.weight", "embeddings.token_type_embeddings.weight", shape=(token_types(config), s.n_embd)
            ),
            *linear("token_embd_norm", "emb_ln", (s.n_embd,)),
            *linear(f"{BLK}.attn_qkv", f"{hf}.mixer.Wqkv", (3 * s.n_embd, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}.mixer.out_proj", (s.n_embd, s.n_embd)),
            *linear(f"{BLK}.attn_output_norm", f"{hf}.norm1", (s.n_embd,)),
            *linear(f"{BLK}.ffn_up", f"{hf}.mlp.fc1", (s.n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_down", f"{hf}.mlp.fc2", (s.n_embd, s.n_ff)),
            *linear(f"{BLK}.layer_output_norm", f"{hf}.norm2", (s.n_embd,)),
        ),
        drops=(
            *UNUSED_HEADS,
            *(
                Drop(f"{adapted}.parametrizations.weight.0.lora_{part}", "adapters belong into files of their own")
                for adapted in ADAPTED
                for part in "AB"
            ),
        ),
        pooled=True,
        pooled_keys=label_keys(name, labels),
        prefixes=(("roberta.", ""), ("bert.", "")),
        endings=((".parametrizations.weight.original", ".weight"), *OLD_NORM_NAMES),
        n_token_types=token_types(config),
    )
