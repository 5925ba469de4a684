"""ModernBERT.

How the checkpoint differs from the GGUF layout:

1. Names may begin with "model.". The first layer has no norm before attention.
2. The feed-forward's first matrix holds gate and values; hidden_activation says which function gates.
3. Layers attend to a window of local_attention, but for every global_attn_every_n_layers-th, with two rotary bases.
4. Of the heads, the one of pre-training keeps its matrix and norm (cls, cls.norm), as in the reference, which fails at
   its decoder: here that is left out. A classifier's last matrix becomes cls.output; the reference gives two matrices
   one name where the labels are the two dummies of every config, here these labels are written.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py (ModernBertModel);
transformers 4.57.6, models/modernbert/configuration_modernbert.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import read_through_class
from ggufpress.arch.encoders import (
    OLD_NORM_NAMES,
    PRE_TRAINING,
    UNUSED_HEADS,
    are_dummies,
    encoder_class,
    encoder_metadata,
    encoder_sizes,
    head,
    label_keys,
    output_labels,
)
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import flag, text, u32

CLASSES = ("ModernBertModel", "ModernBertForMaskedLM", "ModernBertForSequenceClassification")
CONFIG_CLASSES = {
    "modernbert": encoder_class({
        "vocab_size": 50368, "hidden_size": 768, "intermediate_size": 1152, "num_hidden_layers": 22,
        "num_attention_heads": 12, "max_position_embeddings": 8192, "norm_eps": 1e-5, "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0, "local_attention": 128, "global_attn_every_n_layers": 3, "hidden_activation": "gelu",
        "classifier_pooling": "cls",
    })
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a ModernBERT. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    labels = output_labels(config, known=config is not raw)
    classifies = hf_class == "ModernBertForSequenceClassification"
    name = "modern-bert"
    s = encoder_sizes(config)
    hf = "layers.{i}"
    keys = [
        *label_keys(name, labels if classifies or not are_dummies(labels) else ()),
        (f"{name}.attention.sliding_window", u32(config.positive("local_attention"))),
    ]
    if (period := config.optional_integer("global_attn_every_n_layers")) is not None:
        keys.append((f"{name}.attention.sliding_window_pattern", u32(period)))
    keys += [(f"{name}.rope.scaling.type", text("none")), (f"{name}.vocab_size", u32(s.n_vocab))]
    if activation := config.optional_text("hidden_activation"):
        keys.append((f"{name}.hidden_activation", text(activation)))
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(encoder_metadata(config, name)),
        rules=(
            Rule("token_embd.weight", "embeddings.tok_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("token_embd_norm", "embeddings.norm", (s.n_embd,)),
            *linear("output_norm", "final_norm", (s.n_embd,)),
            *linear(f"{BLK}.attn_norm", f"{hf}.attn_norm", (s.n_embd,), required=False),
            *linear(f"{BLK}.attn_qkv", f"{hf}.attn.Wqkv", (3 * s.n_embd, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}.attn.Wo", (s.n_embd, s.n_embd)),
            *linear(f"{BLK}.ffn_norm", f"{hf}.mlp_norm", (s.n_embd,)),
            *linear(f"{BLK}.ffn_up", f"{hf}.mlp.Wi", (2 * s.n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_down", f"{hf}.mlp.Wo", (s.n_embd, s.n_ff)),
            *linear("cls", "head.dense", (s.n_embd, s.n_embd), required=False),
            *linear("cls.norm", "head.norm", (s.n_embd,), required=False),
            *head("classifier", "cls.output"),
        ),
        drops=(*UNUSED_HEADS, Drop("decoder.*", PRE_TRAINING)),
        pooled=True,
        pooled_keys=tuple(keys),
        classifier_pooling="cls" if config is not raw else None,
        prefixes=(("model.", ""), ("bert.", "")),
        endings=OLD_NORM_NAMES,
        first_vocab_keys=tuple((f"tokenizer.ggml.add_{token}_token", flag(True)) for token in ("bos", "eos", "sep")),
    )
