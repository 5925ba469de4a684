"""openPangu-Embedded.

How the checkpoint differs from the GGUF layout:

1. Nothing is permuted; attention has biases.
2. Tied models may store lm_head all the same; it is left out.
3. key_length and value_length are written whether the config has a head_dim or not.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/pangu.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.spec import Arch, Drop
from ggufpress.gguf.values import u32

CLASSES = ("PanguEmbeddedForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Pangu model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    tied = config.flag("tie_word_embeddings", False)
    rules = (*ends(s), *norms(s), *attention(s), *feed_forward(s.n_embd, s.n_ff))
    return Arch(
        name="pangu-embedded",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm-prefix",
        metadata=(
            *decoder_metadata(config, "pangu-embedded"),
            ("pangu-embedded.vocab_size", u32(s.n_vocab)),
            ("pangu-embedded.rope.dimension_count", u32(s.head_dim)),
            ("pangu-embedded.attention.key_length", u32(s.head_dim)),
            ("pangu-embedded.attention.value_length", u32(s.head_dim)),
        ),
        rules=tuple(rule for rule in rules if not (tied and rule.source == "lm_head.weight")),
        drops=(*computed_frequencies(), *((Drop("lm_head.weight", "the embeddings are tied"),) if tied else ())),
    )
