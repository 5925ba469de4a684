"""What a model weighs at the usual precisions, and about how much memory it takes to run: for people new to the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ggufpress.planning import Plan
from ggufpress.planning.output import decide
from ggufpress.recipe import Recipe
from ggufpress.recipe.presets import BY_NAME

CONTEXT = 4096

PRECISIONS = (
    ("FP32", "F32", "every weight as a 32-bit number"),
    ("FP16 / BF16", "F16", "half of that: what models are published in"),
    ("8-bit", "Q8_0", "as good as the original"),
    ("4-bit", "Q4_K_M", "small loss, fits a laptop"),
)
BATCH = 512


@dataclass(frozen=True, slots=True)
class Footprint:
    """One precision: bytes of the file, and estimated bytes of memory to run it with a context of `CONTEXT` tokens."""

    label: str
    preset: str
    about: str
    file_bytes: int
    memory_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "label": self.label, "type": self.preset, "about": self.about,
            "file_bytes": self.file_bytes, "memory_bytes": self.memory_bytes,
        }  # fmt: skip


def footprints(plan: Plan) -> tuple[Footprint, ...]:
    """The model of `plan` at each of `PRECISIONS`.

    Sizes of files are exact but for the header, taken from the plan's first output. Memory is the weights, a key/value
    cache of 16-bit numbers, and the buffers of one batch: an estimate.
    """
    keys = plan.outputs[0].metadata
    arch = plan.model.arch

    def number(name: str, default: int = 0) -> int:
        value = keys.get(f"{arch}.{name}")
        return int(value.data) if value and isinstance(value.data, int) else default

    heads = number("attention.head_count", 1) or 1
    head_dim = number("attention.key_length", number("embedding_length") // heads)
    context = min(CONTEXT, number("context_length", CONTEXT))
    cache = 2 * number("block_count") * number("attention.head_count_kv", heads) * head_dim * 2 * context
    buffers = 4 * BATCH * (plan.model.vocab.n_vocab + 4 * number("embedding_length"))
    result = []
    for label, name, about in PRECISIONS:
        data = sum(nbytes for _, _, _, nbytes in decide(plan.model, Recipe(BY_NAME[name])))
        size = len(plan.outputs[0].header) + data
        result.append(Footprint(label, name, about, size, size + cache + buffers))
    return tuple(result)
