"""Blocks that are not the ones we make: could another build, or another importance matrix, have made them?"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.auditing.levels import LEVELS, Bytes, Numbers, off_level, values
from ggufpress.comparison.verdict import USUAL
from ggufpress.quant.types import QType

BUILD_ERROR = 2.0
"""How much larger the error of a block may be than of ours where only roundings differ. Seen: 1.44."""
SEARCH_ERROR = 8.0
"""The same where scales were searched with other importance. Seen: 4.4, with columns that weigh 100 times the others."""
GRID_ERROR = 4.0
"""The same for points of a grid, about which nothing else is known. Seen: 2.5."""
LISTED = 3


@dataclass(frozen=True, slots=True)
class WorstWeight:
    """A weight that does not come from the source: its place in the tensor, both values, how far off in steps or parts."""

    index: int
    source: float
    file: float
    off: float

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "index": self.index,
            "source": self.source,
            "file": self.file,
            "off": self.off if self.off < inf else None,
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """What was found in some blocks; tallies add up.

    Of `n_blocks`, `n_telling` are not all zeros, `n_differ` are not ours. Of those, `not_build` cannot be another build's,
    and `not_searched` not that of another importance matrix either; `apart` is the largest difference between our value
    and the file's, in steps. The worst weights are those of either kind.
    """

    n_blocks: int = 0
    n_telling: int = 0
    n_differ: int = 0
    not_build: int = 0
    not_searched: int = 0
    apart: float = 0.0
    build_worst: tuple[WorstWeight, ...] = field(default=())
    search_worst: tuple[WorstWeight, ...] = field(default=())

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.n_blocks + other.n_blocks,
            self.n_telling + other.n_telling,
            self.n_differ + other.n_differ,
            self.not_build + other.not_build,
            self.not_searched + other.not_searched,
            max(self.apart, other.apart),
            _worst(self.build_worst + other.build_worst),
            _worst(self.search_worst + other.search_worst),
        )


def _worst(weights: tuple[WorstWeight, ...]) -> tuple[WorstWeight, ...]:
    return tuple(sorted(weights, key=lambda weight: (-weight.off, weight.index))[:LISTED])


def judge(
    weights: Numbers, file: Bytes, ours: Bytes, qtype: QType, places: NDArray[np.int64], *, weighed: bool
) -> tuple[int, int, float, tuple[WorstWeight, ...], tuple[WorstWeight, ...]]:
    """Of blocks that differ: how many no other build makes, how many no other importance makes, and the worst weights.

    `weights` are the source's as (blocks, weights), `places` the number of each block in the tensor. `weighed`: ours were
    made with the importance that the file was made with.
    """
    theirs, mine = values(file, qtype), values(ours, qtype)
    error, base = (np.sqrt(((weights - found) ** 2).mean(axis=1)) for found in (theirs, mine))
    # blocks that ours hits by luck must not be asked of others
    base = np.maximum(base, USUAL.get(qtype.name, 0) / 2 * np.sqrt((weights**2).mean(axis=1)) + _smallest(qtype))
    if qtype.name not in LEVELS:
        scale = np.maximum(np.abs(mine).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        apart = float((np.abs(theirs - mine) / scale).max())
        miss = np.abs(weights - theirs) / scale
        build, search = ~(error <= BUILD_ERROR * base), ~(error <= GRID_ERROR * base)
        return (
            int(build.sum()), int(search.sum()), apart,
            _listed(build, miss, weights, theirs, places), _listed(search, miss, weights, theirs, places),
        )  # fmt: skip
    off, placed = off_level(weights, file, qtype, fitted=weighed)
    with np.errstate(all="ignore"):
        apart = float(np.where(placed.step > 0, np.abs(theirs - mine) / placed.step, 0).max())
        miss = np.where(placed.step > 0, np.abs(weights - theirs) / placed.step, np.inf)
    build = off.any(axis=1) | ~(error <= BUILD_ERROR * base)
    loose = off if weighed or not LEVELS[qtype.name].fitted else off_level(weights, file, qtype, fitted=True)[0]
    search = loose.any(axis=1) | ~(error <= SEARCH_ERROR * base)
    return (
        int(build.sum()), int(search.sum()), apart,
        _listed(build, _of(off, miss), weights, theirs, places), _listed(search, _of(loose, miss), weights, theirs, places),
    )  # fmt: skip


def _smallest(qtype: QType) -> float:
    """An error that comes from the smallest step of an F16 scale alone."""
    levels = LEVELS.get(qtype.name)
    return 2.0**-24 * (levels.n if levels else 16)


def _of(off: NDArray[np.bool_], miss: Numbers) -> Numbers:
    """How far off each weight is, those on their level behind all others where a block has any that is not."""
    return np.where(off | ~off.any(axis=1, keepdims=True), miss, 0)


def _listed(
    which: NDArray[np.bool_], miss: Numbers, weights: Numbers, theirs: Numbers, places: NDArray[np.int64]
) -> tuple[WorstWeight, ...]:
    """The worst weights of the blocks in `which`."""
    rows = np.flatnonzero(which)
    if not len(rows):
        return ()
    found = np.nan_to_num(miss[rows], nan=np.inf)
    size = weights.shape[1]
    order = np.argsort(-found, axis=None, kind="stable")[:LISTED]
    return tuple(
        WorstWeight(
            int(places[rows[at // size]] * size + at % size),
            float(weights[rows[at // size], at % size]),
            float(theirs[rows[at // size], at % size]),
            float(found[at // size, at % size]),
        )
        for at in order.tolist()
    )
