"""GGUF files as sources of quantization, with the options of llama-quantize that its own files are recorded for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ggufpress import quantize
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.shards.copying import copy
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import plan_split
from tests.tiny_checkpoints import BY_NAME, make

KEYS = (
    "general.name=str:another name", "llama.context_length=int:-77", "a.float=float:0.1", "a.large=float:1e60",
    "a.flag=bool:true", "a.empty=str:", "general.file_type=int:3", "general.quantization_version=int:9",
)  # fmt: skip


@dataclass(frozen=True)
class GgufCase:
    """`checkpoint` written as `source`, cut into shards of `shards` tensors (0: not cut), then quantized with `options`.

    `options` are the words of llama-quantize's command line, which are ours too.
    """

    name: str
    checkpoint: str
    source: str
    presets: tuple[str, ...]
    options: tuple[str, ...] = ()
    shards: int = 0
    tensors_in_first: bool = True

    def make(self, folder: Path) -> Path:
        """The source, or its first shard."""
        made = quantize(make(BY_NAME[self.checkpoint], folder), [self.source], output=folder / "s.gguf").files[0].path
        if not self.shards:
            return made
        limits = split_limits(max_tensors=self.shards, tensors_in_first=self.tensors_in_first)
        return copy(plan_split(read_gguf_set(made), folder / "s", limits)).files[0].path


def _keys(*items: str) -> tuple[str, ...]:
    return tuple(word for item in items for word in ("--override-kv", item))


AGAIN = ("--allow-requantize",)
LARGER = ("F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "IQ4_XS", "Q4_0", "MXFP4_MOE", "COPY")

CASES = (
    *(GgufCase(f"again-{source}", "mixtral-8", source, LARGER, AGAIN) for source in ("Q8_0", "Q4_K_M", "Q2_K", "TQ1_0")),
    *(GgufCase(f"again-{source}", "tied-linear-rope", source, ("Q5_K_M", "Q4_1"), AGAIN) for source in
      ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q5_K_S", "Q6_K", "Q3_K_S", "IQ4_NL", "IQ4_XS", "IQ3_S", "TQ2_0", "MXFP4_MOE", "Q2_0")),
    GgufCase("again-narrow", "odd-40-wide", "Q8_0", LARGER, AGAIN),
    GgufCase("copy", "mixtral-8", "AUTO", ("COPY",)),
    GgufCase("copy-f32", "yarn", "F32", ("COPY",)),
    GgufCase("one-layer-less", "deep-gqa", "AUTO", ("Q4_K_M", "Q3_K_M", "F16", "COPY"), ("--prune-layers", "1")),
    GgufCase("layers-apart", "deep-gqa", "AUTO", ("Q4_K_M", "IQ4_XS"), ("--prune-layers", "0,3,4,2,3")),
    GgufCase("experts-pruned", "mixtral-8", "AUTO", ("Q4_K_M", "Q3_K_L"), ("--prune-layers", "0")),
    GgufCase("keys", "mixtral-8", "AUTO", ("Q4_K_M", "COPY"), _keys(*KEYS)),
    GgufCase("keys-and-layers", "deep-gqa", "AUTO", ("Q4_K_M",),
             (*_keys("llama.context_length=int:9", "z=str:last"), "--prune-layers", "2")),
    GgufCase("fewer-experts-said", "mixtral-8", "AUTO", ("Q4_K_M",), _keys("llama.expert_count=int:4")),
    GgufCase("key-value-heads-said", "mixtral-8", "AUTO", ("IQ4_XS",), _keys("llama.attention.head_count_kv=int:1")),
    GgufCase("of-shards", "mixtral-8", "AUTO", ("Q4_K_M", "COPY", "F32"), shards=4),
    GgufCase("of-shards-keys-first", "deep-gqa", "F16", ("Q4_K_M",), shards=9, tensors_in_first=False),
    GgufCase("keep-split", "mixtral-8", "AUTO", ("Q4_K_M", "COPY", "Q8_0"), ("--keep-split",), shards=4),
    GgufCase("keep-split-keys-first", "deep-gqa", "AUTO", ("Q4_K_M", "IQ4_XS"), ("--keep-split",), 9, False),
    GgufCase("keep-split-pruned", "deep-gqa", "AUTO", ("Q4_K_M",), ("--keep-split", "--prune-layers", "0"), shards=40),
    GgufCase("keep-one-file", "mixtral-8", "AUTO", ("Q4_K_M",), ("--keep-split",)),
)  # fmt: skip
