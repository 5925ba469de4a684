"""LFM 2.5's audio tokenizer: an LFM2 with sliding windows that makes sound of what another model says.

How the checkpoint differs from the GGUF layout: as LFM2's does. It has no vocabulary of texts and no embedding; a linear layer
behind it has a key for its size. What transforms its output to sound is left out.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/lfm2.py (LFM25AudioTokenizer).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.families import lfm2
from ggufpress.arch.layers import linear
from ggufpress.arch.spec import Arch, Drop
from ggufpress.gguf.values import u32

CLASSES = ("Lfm25AudioTokenizer",)
NAME = "lfm2"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of such a model. Raises ConfigError for a config that does not make sense."""
    arch = lfm2.describe(config, hf_class)
    keys = dict(arch.metadata)
    keys[f"{NAME}.attention.sliding_window"] = u32(config.integer("sliding_window"))
    keys[f"{NAME}.embedding_length_out"] = u32(config.integer("output_size"))
    n_embd, n_out = config.positive("hidden_size"), config.positive("output_size")
    return replace(
        arch,
        vocab="none",
        metadata=tuple(keys.items()),
        rules=(
            *(rule for rule in arch.rules if rule.target not in ("token_embd.weight", "output.weight")),
            *linear("dense_2", "lin", (n_out, n_embd)),
        ),
        drops=(
            Drop("istft.window", "it makes sound of the output"),
            Drop("emb.emb.*", "it belongs to the language model"),
        ),
    )
