"""What an audit says: of each tensor, of each key, and of the whole file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from ggufpress.auditing.blocks import WorstWeight
from ggufpress.quant.types import QType


class Verdict(Enum):
    """What the source says to a tensor or a file, from best to worst; `value` in words."""

    IDENTICAL = "identical"
    BUILD = "the same up to another build of llama.cpp"
    CONSISTENT = "consistent with an unknown importance matrix"
    UNCHECKED = "not checked"
    DIFFERENT = "not derived from this source"

    @property
    def rank(self) -> int:
        """How bad it is, from 0."""
        return list(Verdict).index(self)


ABOUT = {
    Verdict.IDENTICAL: "every byte is the one that llama.cpp makes of the source",
    Verdict.BUILD: "few blocks differ, and those as sums rounded otherwise make them differ",
    Verdict.CONSISTENT: "every weight has the level nearest to the source's, under scales that a search can choose",
    Verdict.UNCHECKED: "a type that cannot be made here",
    Verdict.DIFFERENT: "some weights do not come from the source's",
}


@dataclass(frozen=True, slots=True)
class TensorFinding:
    """What was found of one tensor.

    Of `n_blocks` (weights, where the type has none) `n_differ` are not what we make; `n_wrong` of these cannot come from
    the source. `apart` is the largest difference between the file's value and ours, in steps. `via` is the type whose
    rounding the weights took on the way, `weighed` whether the given importance matrix was used.
    """

    name: str
    qtype: QType
    shape: tuple[int, ...]
    verdict: Verdict
    n_blocks: int
    n_differ: int
    n_wrong: int
    apart: float
    via: QType
    weighed: bool
    worst: tuple[WorstWeight, ...] = ()
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name, "type": self.qtype.name, "shape": list(self.shape), "verdict": self.verdict.name.lower(),
            "blocks": self.n_blocks, "differing": self.n_differ, "wrong": self.n_wrong, "apart": self.apart,
            "via": self.via.name, "weighed": self.weighed, "why": self.why,
            "worst": [weight.to_json() for weight in self.worst],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyFinding:
    """A key that is not what the source says. `is_fault`: it changes what the model does, and nobody allowed it."""

    key: str
    kind: str
    about: str
    is_fault: bool

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"key": self.key, "kind": self.kind, "about": self.about, "fault": self.is_fault}
