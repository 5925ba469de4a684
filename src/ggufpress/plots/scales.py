"""Axes: where a number stands, and which round numbers are written beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Scale:
    """From numbers between `low` and `high` to px between `start` and `end`, evenly or by their logarithms."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of `value` in px, that of an end where it lies beyond."""
        here = min(max(value, self.low), self.high)
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, here = log10(low), log10(high), log10(here)
        return self.start + (here - low) / (high - low) * (self.end - self.start)

    def ticks(self, about: int = 7) -> list[float]:
        """Round numbers within the scale, about so many."""
        return _powers(self.low, self.high) if self.logarithmic else _even(self.low, self.high, about)


def fitting(values: Sequence[float], start: float, end: float, *, logarithmic: bool = False) -> Scale:
    """A scale on which all values stand with some room at both ends."""
    low, high = min(values), max(values)
    if logarithmic:
        room = max((high / low) ** 0.06, 1.05)
        return Scale(low / room, high * room, start, end, True)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - room, high + room, start, end)


def _even(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    power = 10.0 ** floor(log10(rough))
    step = next(step * power for step in STEPS if step * power >= rough * 0.999)
    first = ceil(low / step - 1e-9)
    return [number * step for number in range(first, floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten, or the powers alone where there are many."""
    factors = (1, 2, 5) if high / low < 1e3 else (1,)
    found = [factor * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for factor in factors]
    return [tick for tick in found if low <= tick <= high]
