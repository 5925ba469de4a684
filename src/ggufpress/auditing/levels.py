"""What the bits of a block's weights can be, so that each weight can be held against the levels it could have had.

llama.cpp's quantizers end by giving each weight the level nearest to it: for most types under the very scales that are
stored, for others under a scale that was rounded or fitted once more afterwards. So a stored level that is not the
nearest was not made from this weight, whatever importance matrix the scales were searched with.
Source: TREE ggml/src/ggml-common.h (layouts), ggml/src/ggml-quants.c (the last loop of each `quantize_row_*`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.quant.types import QType

Numbers = NDArray[np.float64]
Bytes = NDArray[np.uint8]

EXACTLY = 1e-3
"""Steps by which a level may miss the nearest for the rounding of float32 alone."""
WIDER = 0.502
"""Half a step, and a little for rounding."""
LINES = 256
"""Blocks whose levels are tried for a common scale at a time."""

IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
FP4 = (-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12)


@dataclass(frozen=True)
class Levels:
    """The levels of a type. `first` to `last` are the bytes of a block that hold them, `lowest` and `highest` what is in
    each of these where all weights have the lowest or highest level, `at` where levels lie between both, from 0 to 1.

    `span` is the largest multiple of the block's F16 scale that a weight can be; 0: levels are chosen under the stored
    scales, so that these being rounded does not matter. `fitted`: with importance the scale is fitted to the levels when
    those are settled; `zero` is then the level that stands for 0, None where there is a minimum too.
    """

    first: int
    last: int
    lowest: int
    highest: int
    at: tuple[float, ...]
    span: int = 0
    fitted: bool = False
    zero: int | None = None

    @property
    def is_even(self) -> bool:
        """Whether the levels lie at the same distance from each other."""
        return self.at == _even(self.n)

    @property
    def has_minimum(self) -> bool:
        """Whether scale and minimum are rounded each by itself after the levels are chosen."""
        return self.fitted and self.zero is None

    @property
    def n(self) -> int:
        """Steps from the lowest to the highest level."""
        return len(self.at) - 1


def _even(n: int) -> tuple[float, ...]:
    return tuple(level / n for level in range(n + 1))


def _uneven(values: tuple[int, ...]) -> tuple[float, ...]:
    return tuple((value - values[0]) / (values[-1] - values[0]) for value in values)


LEVELS: Mapping[str, Levels] = {
    "Q4_0": Levels(2, 18, 0, 255, _even(15), 8, True, 8), "Q5_0": Levels(2, 22, 0, 255, _even(31), 16, True, 16),
    "Q4_1": Levels(4, 20, 0, 255, _even(15), 15, True), "Q5_1": Levels(4, 24, 0, 255, _even(31), 31, True),
    "Q8_0": Levels(2, 34, 128, 127, _even(255), 128), "Q2_K": Levels(16, 80, 0, 255, _even(3)),
    "Q3_K": Levels(0, 96, 0, 255, _even(7)), "Q4_K": Levels(16, 144, 0, 255, _even(15)),
    "Q5_K": Levels(16, 176, 0, 255, _even(31)), "Q6_K": Levels(0, 192, 0, 255, _even(63)),
    "IQ4_NL": Levels(2, 18, 0, 255, _uneven(IQ4), 127), "IQ4_XS": Levels(8, 136, 0, 255, _uneven(IQ4), 32 * 127),
    "MXFP4": Levels(1, 17, 0xFF, 0x77, _uneven(FP4)), "Q1_0": Levels(2, 18, 0, 255, _even(1)),
    "Q2_0": Levels(2, 18, 0, 255, _even(3), 2), "TQ1_0": Levels(0, 52, 0, 255, _even(2), 1),
    "TQ2_0": Levels(0, 64, 0, 0xAA, _even(2), 1),
}  # fmt: skip
"""Types with levels. The others choose points of a grid for four or eight weights together."""


@dataclass(frozen=True)
class Placed:
    """Weights of blocks beside the levels they have. All arrays are (blocks, weights).

    `excess` is how much farther a weight is from its level than from the nearest one, `slack` how much it may be; both in
    steps, and `step` is the mean distance of levels. `stored` are the values, `bottom` and `width` the range of levels.
    """

    excess: Numbers
    step: Numbers
    slack: Numbers
    stored: Numbers
    bottom: Numbers
    width: Numbers

    def level(self, which: NDArray[np.int64], n: int) -> NDArray[np.int64]:
        """The number of each weight's level, from 0 to `n`, in the blocks `which` of a type with even levels."""
        with np.errstate(all="ignore"):
            part = (self.stored[which] - self.bottom[which]) / self.width[which]
        return np.rint(n * np.nan_to_num(part, posinf=0, neginf=0)).astype(np.int64)


def values(blocks: Bytes, qtype: QType) -> Numbers:
    """What blocks of shape (n, block_bytes) stand for, as (n, block)."""
    out = np.empty((len(blocks), qtype.block), np.float32)
    _native.dequantize(np.ascontiguousarray(blocks), qtype.id, out, qtype.block)
    return out.astype(np.float64)


def place(weights: Numbers, blocks: Bytes, qtype: QType) -> Placed:
    """Where `weights` lie among the levels that the scales of `blocks` allow, and which of them the blocks say."""
    levels = LEVELS[qtype.name]
    low, high = blocks.copy(), blocks.copy()
    low[:, levels.first : levels.last] = levels.lowest
    high[:, levels.first : levels.last] = levels.highest
    bottom, stored = values(low, qtype), values(blocks, qtype)
    width = values(high, qtype) - bottom
    with np.errstate(all="ignore"):
        nearest = _nearest(weights, bottom, width, levels)
        step = np.abs(width) / levels.n
        nearest *= width
        nearest += bottom
        excess = np.abs(weights - stored) - np.abs(weights - nearest)
        excess = np.where(step > 0, excess / step, 0)
        # an error of the scale, and of the minimum, moves a level, and the middle between two levels, to either side
        top = np.abs(bottom + width)
        largest = np.abs(bottom) + np.abs(width) if levels.has_minimum else np.maximum(np.abs(bottom), top)
        moved = 2 * (largest * 2.0**-11 + levels.span * 2.0**-25) / step if levels.span else 0.0
        slack = np.where(step > 0, moved + EXACTLY, np.inf)
    return Placed(excess, step, slack, stored, bottom, width)


def _nearest(weights: Numbers, bottom: Numbers, width: Numbers, levels: Levels) -> Numbers:
    """Where the level nearest to each weight stands, from 0 to 1."""
    part = np.where(width != 0, (weights - bottom) / width, 0)
    if not levels.is_even:
        at = np.array(levels.at)
        places: Numbers = at[np.searchsorted((at[1:] + at[:-1]) / 2, part)]
        return places
    np.clip(part, 0, 1, out=part)
    part *= levels.n
    np.rint(part, out=part)
    part /= levels.n
    return part


def off_level(weights: Numbers, blocks: Bytes, qtype: QType, *, fitted: bool) -> tuple[NDArray[np.bool_], Placed]:
    """Which weights do not have the level nearest to them, as (blocks, weights).

    `fitted`: the levels may be nearest under another scale than the stored one, as long as it is one scale for all weights
    of the block.
    """
    placed = place(weights, blocks, qtype)
    # what is no number is near to nothing
    off = ~(placed.excess <= placed.slack)
    levels = LEVELS[qtype.name]
    if fitted and levels.fitted:
        for start in range(0, len(off), LINES):
            part = slice(start, start + LINES)
            wrong = np.flatnonzero(off[part].any(axis=1)) + start
            if len(wrong):
                off[wrong[on_one_line(weights[wrong], placed.level(wrong, levels.n), levels)]] = False
    return off, placed


def on_one_line(weights: Numbers, level: NDArray[np.int64], levels: Levels) -> NDArray[np.bool_]:
    """For each block: is there a scale (and a minimum) under which every level is the nearest to its weight?

    A level l of a weight x says l - 1/2 <= a x + b <= l + 1/2, open at the ends of the range. Without b, for any two weights
    a (x - y) <= upper(x) - lower(y): there must be an a for all pairs. A fixed zero is one more point.
    """
    upper = np.where(level >= levels.n, np.inf, level + WIDER)
    lower = np.where(level <= 0, -np.inf, level - WIDER)
    if levels.zero is not None:
        zero = np.full((len(level), 1), float(levels.zero))
        weights, upper, lower = (
            np.concatenate([array, column], axis=1)
            for array, column in ((weights, np.zeros_like(zero)), (upper, zero), (lower, zero))
        )
    distance = weights[:, :, None] - weights[:, None, :]
    room = upper[:, :, None] - lower[:, None, :]
    with np.errstate(all="ignore"):
        bound = room / distance
    most = np.where(distance > 0, bound, np.inf).min(axis=(1, 2))
    least = np.where(distance < 0, bound, -np.inf).max(axis=(1, 2))
    never = ((distance == 0) & (room < 0)).any(axis=(1, 2))
    found: NDArray[np.bool_] = (least <= most) & ~never & np.isfinite(weights).all(axis=1)
    return found
