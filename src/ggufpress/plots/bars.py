"""Bars side by side: how much of each kind two things have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ggufpress.plots.svg import Drawing, text_width

BAR = 13.0
GROUP = 10.0
KINDS = ("a", "b")


@dataclass(frozen=True)
class Bars:
    """For each row its name, and a size and a label for each of at most two things; a size of 0 has no bar."""

    names: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[float, str]]]]
    room: float = 420.0

    @property
    def margin(self) -> float:
        """Width of the names of rows."""
        return max([text_width(name) for name, _ in self.rows], default=0) + 10

    @property
    def height(self) -> float:
        """Height of all, with the line that names the things."""
        return 24 + sum(BAR * len(_present(values)) + GROUP for _, values in self.rows)

    def draw(self, on: Drawing, x: float, y: float) -> None:
        """Draw them with the top left corner at (x, y)."""
        left = x + self.margin
        at = left
        for kind, name in zip(KINDS, self.names, strict=False):
            on.rect(at, y, 11, 11, kind=kind)
            on.text(at + 16, y + 10, name)
            at += 40 + text_width(name)
        largest = max((size for _, values in self.rows for size, _ in values), default=0) or 1
        top = y + 24
        for name, values in self.rows:
            present = _present(values)
            on.text(left - 8, top + BAR * len(present) / 2 + 4, name, anchor="end")
            for kind, size, label in present:
                on.rect(left, top, max(1.0, self.room * size / largest), BAR - 1, kind=kind, about=label)
                on.text(left + self.room * size / largest + 6, top + 10, label, kind="faint")
                top += BAR
            top += GROUP


def _present(values: Sequence[tuple[float, str]]) -> list[tuple[str, float, str]]:
    """What has a size, with its colour."""
    return [(kind, size, label) for kind, (size, label) in zip(KINDS, values, strict=False) if size]
