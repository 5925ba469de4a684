"""NeoBERT.

How the checkpoint differs from the GGUF layout:

1. Names may begin with "model."; the token embedding is called encoder.
2. Queries, keys and values are one matrix, and so are gate and values of the feed-forward, whose width is two thirds of
   intermediate_size.
3. The head of pre-training (decoder) is left out. A classifier becomes cls and cls.output, its labels are metadata.
   The reference fails where there are two labels; here these are written.
4. Texts are pooled by their first token, whatever modules.json says.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py (NeoBert). transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.encoders import (
    OLD_NORM_NAMES,
    PRE_TRAINING,
    UNUSED_HEADS,
    encoder_metadata,
    encoder_sizes,
    head,
    label_keys,
    output_labels,
    token_types,
)
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.pooling import MODES
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import f32, text, u32

CLASSES = ("NeoBERT", "NeoBERTLMHead", "NeoBERTForSequenceClassification")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a NeoBERT. Raises ConfigError for a config that does not make sense."""
    name = "neo-bert"
    s = encoder_sizes(config)
    # as the reference computes it: a float, cut
    n_ff = int(2 * config.positive("intermediate_size") / 3)
    eps = config.optional_number("norm_eps")
    hf = "transformer_encoder.{i}"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="wpm",
        metadata=tuple(encoder_metadata(config, name)),
        rules=(
            Rule("token_embd.weight", "encoder.weight", shape=(s.n_vocab, s.n_embd)),
            Rule("enc.output_norm.weight", "layer_norm.weight", shape=(s.n_embd,)),
            Rule(f"{BLK}.attn_norm.weight", f"{hf}.attention_norm.weight", shape=(s.n_embd,)),
            *linear(f"{BLK}.attn_qkv", f"{hf}.qkv", (3 * s.n_embd, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}.wo", (s.n_embd, s.n_embd)),
            Rule(f"{BLK}.ffn_norm.weight", f"{hf}.ffn_norm.weight", shape=(s.n_embd,)),
            *linear(f"{BLK}.ffn_up", f"{hf}.ffn.w12", (2 * n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_down", f"{hf}.ffn.w3", (s.n_embd, n_ff)),
            *linear("cls", "dense", (s.n_embd, s.n_embd), required=False),
            *head("classifier", "cls.output"),
        ),
        drops=(*UNUSED_HEADS, Drop("decoder.*", PRE_TRAINING)),
        pooled=True,
        pooled_keys=(
            *label_keys(name, output_labels(config, known=False)),
            (f"{name}.feed_forward_length", u32(n_ff)),
            (f"{name}.rope.freq_base", f32(10000.0)),
            (f"{name}.rope.scaling.type", text("none")),
            (f"{name}.attention.layer_norm_rms_epsilon", f32(1e-6 if eps is None else eps)),
            (f"{name}.pooling_type", u32(MODES["cls"])),
        ),
        prefixes=(("model.", ""), ("bert.", "")),
        endings=OLD_NORM_NAMES,
        n_token_types=token_types(config),
    )
