"""A heat map of numbers by row and column, on a logarithmic scale of colours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from ggufpress.plots.svg import Drawing, colour, text_width

ROW = 20.0
GAP = 1.0
MAX_COLUMN, MIN_COLUMN, ROOM = 30.0, 9.0, 720.0
LABELS = 24
LEGEND = 220


@dataclass(frozen=True)
class HeatMap:
    """Values by (row, column); a cell without one stays empty, 0 is shown as nothing. `about` is shown at a pointer."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Mapping[tuple[int, int], float]
    about: Mapping[tuple[int, int], str]

    @property
    def margin(self) -> float:
        """Width of the names of rows."""
        return max([text_width(row) for row in self.rows], default=0) + 10

    @property
    def column(self) -> float:
        """Width of a column."""
        return min(MAX_COLUMN, max(MIN_COLUMN, ROOM / max(1, len(self.columns))))

    @property
    def width(self) -> float:
        """Width of all, with the names of rows."""
        return self.margin + max(self.column * len(self.columns), LEGEND + 80)

    @property
    def height(self) -> float:
        """Height of all, with the names of columns and the legend."""
        return ROW * len(self.rows) + 70

    def draw(self, on: Drawing, x: float, y: float, legend: str) -> None:
        """Draw it with its top left corner at (x, y); `legend` says what the colours mean."""
        left = x + self.margin
        scale = Scale.of(self.values.values())
        for number, name in enumerate(self.rows):
            on.text(left - 8, y + ROW * number + 14, name, anchor="end")
        for (row, column), value in self.values.items():
            place = (left + self.column * column, y + ROW * row, self.column - GAP, ROW - GAP)
            fill = "" if value == 0 else scale.colour(value)
            on.rect(*place, fill=fill, kind="empty", about=self.about.get((row, column), ""))
        bottom = y + ROW * len(self.rows)
        step = max(1, ceil(len(self.columns) / LABELS))
        for number, label in enumerate(self.columns):
            # layers count from 0, whatever stands before them
            if label.isdigit() and int(label) % step:
                continue
            on.text(left + self.column * (number + 0.5), bottom + 14, label, anchor="middle", kind="faint")
        scale.draw(on, left, bottom + 28, legend)
        if 0 in self.values.values():
            on.rect(left + LEGEND + 16, bottom + 28, 12, 12, kind="empty")
            on.text(left + LEGEND + 34, bottom + 38, "none", kind="faint")


@dataclass(frozen=True, slots=True)
class Scale:
    """Colours between the powers of ten around the values."""

    low: float
    high: float

    @staticmethod
    def of(values: Iterable[float]) -> Scale:
        """The scale for these values."""
        logs = [log10(v) for v in values if v > 0 and isfinite(v)]
        if not logs:
            return Scale(-2, 0)
        # halves of a power of ten, so that close values are told apart
        low, high = floor(2 * min(logs)) / 2, ceil(2 * max(logs)) / 2
        return Scale(low, high if high > low else low + 0.5)

    def colour(self, value: float) -> str:
        """The colour of a value above 0; what is no number has that of the largest."""
        return colour((log10(value) - self.low) / (self.high - self.low) if isfinite(value) and value > 0 else 1.0)

    def draw(self, on: Drawing, x: float, y: float, legend: str) -> None:
        """The bar of colours with what its ends mean."""
        steps = 44
        for step in range(steps):
            width = LEGEND / steps
            on.rect(x + width * step, y, width + 0.5, 12, fill=colour(step / (steps - 1)))
        on.text(x, y + 26, percent(10**self.low), kind="faint")
        on.text(x + LEGEND / 2, y + 26, legend, anchor="middle", kind="faint")
        on.text(x + LEGEND, y + 26, percent(10**self.high), anchor="end", kind="faint")


def percent(part: float) -> str:
    """A part of one with two digits: 3.2 %."""
    return f"{100 * part:.2g} %"
