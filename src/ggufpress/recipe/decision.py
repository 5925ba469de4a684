"""What was decided about one tensor, and how it came to that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ggufpress.quant.types import QType

Importance = Literal["none", "entry", "ones"]
"""What weighs the columns: nothing, the importance matrix, or 1 everywhere for a type that cannot do without."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was asked about a tensor, and what it said."""

    rule: str
    answer: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The type of one tensor.

    `rule` says what chose it; `fallback` why the shape did not allow that, or None; `upgrade` what it would have been with
    an entry in the importance matrix, or None. `steps` are all rules that were asked, in llama-quantize's order.
    """

    qtype: QType
    rule: str
    fallback: str | None = None
    upgrade: QType | None = None
    importance: Importance = "none"
    steps: tuple[Step, ...] = ()
