"""BERT and DistilBERT.

How the checkpoint differs from the GGUF layout:

1. Names may begin with the model's ("bert.", "distilbert."), and norms may be called gamma and beta.
2. Pooler and heads of pre-training are left out. A classifier becomes cls.output (DistilBERT's first matrix: cls); its
   labels are metadata, but for the two dummies of every config. With these, BERT's is called cls, as in the reference.
3. The reference fails at a DistilBERT classifier with dummy labels, giving both of its matrices one name. Here the
   labels are written, so that llama.cpp knows how many outputs there are.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py (BertModel, DistilBertModel);
transformers 4.57.6, models/{bert,distilbert}/configuration_*.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import read_through_class
from ggufpress.arch.encoders import (
    BERT_DEFAULTS,
    OLD_NORM_NAMES,
    PRE_TRAINING,
    UNUSED_HEADS,
    EncoderSizes,
    are_dummies,
    bert_embeddings,
    bert_layers,
    encoder_class,
    encoder_metadata,
    encoder_sizes,
    head,
    label_keys,
    output_labels,
    token_types,
)
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import f32

BERT = ("BertModel", "BertForMaskedLM", "BertForSequenceClassification")
DISTILBERT = ("DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification")
CLASSES = (*BERT, *DISTILBERT)

CONFIG_CLASSES = {"bert": encoder_class(BERT_DEFAULTS)}
DISTILBERT_CLASSES = {
    "distilbert": encoder_class({
        "vocab_size": 30522, "max_position_embeddings": 512, "n_layers": 6, "n_heads": 12, "dim": 768,
        "hidden_dim": 3072, "pad_token_id": 0,
    })
}  # fmt: skip
MASK_HEAD = tuple(Drop(f"vocab_{name}.*", PRE_TRAINING) for name in ("transform", "layer_norm", "projector"))


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a BERT or DistilBERT. Raises ConfigError for a config that does not make sense."""
    distilled = hf_class in DISTILBERT
    config = read_through_class(raw, DISTILBERT_CLASSES if distilled else CONFIG_CLASSES)
    labels = output_labels(config, known=config is not raw)
    s = encoder_sizes(config)
    metadata = encoder_metadata(config, "bert")
    layers: tuple[Rule, ...]
    if distilled:
        metadata.insert(0, ("bert.attention.layer_norm_epsilon", f32(1e-12)))
        layers = (*_distilled_layers(s), *linear("cls", "pre_classifier", (s.n_embd, s.n_embd), required=False),
                  *head("classifier", "cls.output"))  # fmt: skip
    else:
        layers = (*bert_layers(s), *head("classifier", "cls" if are_dummies(labels) or not labels else "cls.output"))
    classifies = hf_class == "DistilBertForSequenceClassification"
    return Arch(
        name="bert",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="wpm",
        metadata=tuple(metadata),
        rules=(*bert_embeddings(config, s), *layers),
        drops=(*UNUSED_HEADS, *(MASK_HEAD if distilled else ())),
        pooled=True,
        pooled_keys=label_keys("bert", labels if classifies or not are_dummies(labels) else ()),
        prefixes=(("distilbert.", ""), ("bert.", "")),
        endings=OLD_NORM_NAMES,
        n_token_types=token_types(config),
    )


def _distilled_layers(s: EncoderSizes) -> tuple[Rule, ...]:
    hf = "transformer.layer.{i}"
    return (
        *linear(f"{BLK}.attn_q", f"{hf}.attention.q_lin", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_k", f"{hf}.attention.k_lin", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_v", f"{hf}.attention.v_lin", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{hf}.attention.out_lin", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_output_norm", f"{hf}.sa_layer_norm", (s.n_embd,)),
        *linear(f"{BLK}.ffn_up", f"{hf}.ffn.lin1", (s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{hf}.ffn.lin2", (s.n_embd, s.n_ff)),
        *linear(f"{BLK}.layer_output_norm", f"{hf}.output_layer_norm", (s.n_embd,)),
    )
