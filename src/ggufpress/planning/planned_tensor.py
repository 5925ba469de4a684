"""One tensor of one output, planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ggufpress.arch.ops import Shape
from ggufpress.imatrix.matrix import Entry
from ggufpress.mapping import Derived
from ggufpress.quant.types import QType
from ggufpress.recipe import Decision
from ggufpress.recipe.importance import INDIFFERENT


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """One tensor of one output: where it comes from, what it becomes and where it goes.

    `via` is the type whose rounding each weight takes before it gets `qtype`: that of llama-quantize's input file.
    `offset` counts bytes from the start of the data section. `entry` are the tensor's numbers in the importance matrix,
    where `decision` says that they are used.
    """

    source: Derived
    shape: Shape
    via: QType
    offset: int
    nbytes: int
    decision: Decision
    entry: Entry | None = None

    @property
    def qtype(self) -> QType:
        """The type it gets."""
        return self.decision.qtype

    @property
    def rule(self) -> str:
        """What chose the type."""
        return self.decision.rule

    @property
    def fallback(self) -> str | None:
        """Why the shape did not allow the type that was chosen, or None."""
        return self.decision.fallback

    @property
    def lacks_importance(self) -> bool:
        """Whether its type would look at importance, and there is none for it."""
        looks = self.qtype.quantized and self.qtype not in INDIFFERENT and self.qtype is not self.via
        return looks and self.entry is None

    @property
    def name(self) -> str:
        """The name in the GGUF file."""
        return self.source.name

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json` and the manifest."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "sources": [ref.name for ref in self.source.sources],
            "source_type": self.source.dtype.name,
            "ops": [str(step) for step in self.source.steps],
            "type": self.qtype.name,
            "via": self.via.name,
            "offset": self.offset,
            "bytes": self.nbytes,
            "rule": self.rule,
            "fallback": self.fallback,
            "instead_of": self.decision.upgrade.name if self.decision.upgrade else None,
            "importance": self.decision.importance,
        }
