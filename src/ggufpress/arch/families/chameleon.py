"""Chameleon.

How the checkpoint differs from the GGUF layout:

1. The rows of q and k are permuted per head. Their norms have a row per shard of the original model; the first goes from
   halves to pairs and is repeated for each head.
2. The image tokenizer, model.vqmodel, is left out.
3. swin_norm says whether norms stand behind attention and feed-forward instead of before.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/chameleon.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, is_no_early_rope, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.gather import Gather
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.ops import Shape, SwapColumns
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.errors import MappingError
from ggufpress.gguf.values import flag

CLASSES = ("ChameleonForConditionalGeneration", "ChameleonForCausalLM")

# transformers 4.57.6, models/chameleon/configuration_chameleon.py
CONFIG_CLASSES = {
    "chameleon": ConfigClass(MODERN | {
        "vocab_size": 65536, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "swin_norm": False,
    }, refuses=is_no_early_rope, renames_type=False, fills_kv_heads=False),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FirstRowForHeads(Gather):
    """The first row, `count` times: (rows, cols) -> (count, cols). The others are those of other shards of the same layer."""

    count: int

    def out_shape(self, shape: Shape) -> Shape:
        """A row per head."""
        if len(shape) != 2:
            raise MappingError(f"{list(shape)} is no matrix whose first row is the norm of a head")
        return (self.count, shape[1])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """The first row again and again."""
        while count:
            start = first % shape[1]
            length = min(count, shape[1] - start)
            yield start, length
            first, count = first + length, count - length

    def __str__(self) -> str:
        return f"first-row-for-heads({self.count})"


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Chameleon model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    return Arch(
        name="chameleon",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "chameleon"),
            ("chameleon.swin_norm", flag(config.flag("swin_norm", False))),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s, permuted=True),
            *head_norms(s),
            *feed_forward(s.n_embd, s.n_ff),
        ),
        drops=(*computed_frequencies(), Drop("model.vqmodel.*", "the image tokenizer, which llama.cpp does not have")),
    )


def head_norms(s: Sizes) -> tuple[Rule, ...]:
    """The norms of queries and keys, weights and biases, one row per head."""
    hf = f"{LAYERS}.self_attn"
    order = (SwapColumns(2, s.head_dim // 2),)
    return tuple(
        Rule(
            f"{BLK}.attn_{part}_norm.{end}",
            f"{hf}.{part}_norm.{end}",
            order,
            (heads, s.head_dim),
            required=end == "weight",
            gather=FirstRowForHeads(heads),
        )
        for part, heads in (("q", s.n_head), ("k", s.n_head_kv))
        for end in ("weight", "bias")
    )
