"""EuroBERT, and Jina's fifth embedding model that has its layers.

How the checkpoint differs from the GGUF layout:

1. Names may begin with "model."; else they are Llama's. Nothing is permuted, and attention looks both ways.
2. The tokenizer adds no token at the beginning, unless its files say so.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py (EuroBertModel). transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.encoders import encoder_metadata
from ggufpress.arch.layers import attention, feed_forward, linear, norms, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import flag, text

CLASSES = ("EuroBertModel", "JinaEmbeddingsV5Model")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a EuroBERT. Raises ConfigError for a config that does not make sense."""
    name = "eurobert"
    s = sizes(config)
    hf = "layers.{i}"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(*encoder_metadata(config, name), (f"{name}.rope.scaling.type", text("none"))),
        rules=(
            Rule("token_embd.weight", "embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "norm", (s.n_embd,)),
            *norms(s, hf),
            *attention(s, f"{hf}.self_attn"),
            *feed_forward(s.n_embd, s.n_ff, f"{hf}.mlp"),
        ),
        pooled=True,
        prefixes=(("model.", ""),),
        first_vocab_keys=(("tokenizer.ggml.add_bos_token", flag(False)),),
    )
