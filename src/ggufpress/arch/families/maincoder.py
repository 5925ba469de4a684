"""Maincoder.

How the checkpoint differs from the GGUF layout: not at all but in names. Queries and keys pass through a norm per head.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/maincoder.py. transformers 4.57.6 has no class for it.
"""

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import attention, ends, feed_forward, head_norms, norms, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import u32

CLASSES = ("MaincoderForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Maincoder model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    metadata = decoder_metadata(config, "maincoder")
    if (head_dim := config.optional_integer("head_dim")) is not None:
        metadata.append(("maincoder.rope.dimension_count", u32(head_dim)))
    return Arch(
        name="maincoder",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=(*ends(s), *norms(s), *attention(s), *head_norms(s), *feed_forward(s.n_embd, s.n_ff)),
    )
