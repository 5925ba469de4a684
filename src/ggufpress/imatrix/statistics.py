"""What the numbers of an importance matrix look like, as llama-imatrix --show-statistics tells it.

Source of the definitions: llama.cpp of llama-cpp-python 0.3.36, tools/imatrix/imatrix.cpp (`compute_statistics`,
`compute_cossim`). Computed in float64, so that the last digits may differ from its float32.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.imatrix.matrix import Entry, ImportanceData, ImportanceMatrix

INACTIVE = 1e-5
"""A column whose mean square is not above this counts as inactive."""


@dataclass(frozen=True, slots=True)
class EntryStatistics:
    """One entry. `energy` is the sum of the columns' mean squares, over experts that were chosen.

    `experts` counts those that the file tells of, `covered` those with a count above 0, `counts` their smallest and
    largest. `active` and `outliers` are shares: columns above 1e-5, and above mean and one standard deviation.
    `entropy` is in bits, `evenness` its share of the largest possible. `similarity` is the cosine to the same tensor of the
    layer before, or None. The numbers are None where no expert was chosen.
    """

    name: str
    n_values: int
    experts: int
    covered: int
    counts: tuple[int, int]
    finite: bool
    energy: float | None = None
    smallest: float | None = None
    largest: float | None = None
    mean: float | None = None
    deviation: float | None = None
    active: float | None = None
    entropy: float | None = None
    evenness: float | None = None
    outliers: float | None = None
    similarity: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name,
            "values": self.n_values,
            "experts": self.experts,
            "covered": self.covered,
            "counts": list(self.counts),
            "finite": self.finite,
            "energy": self.energy,
            "min": self.smallest,
            "max": self.largest,
            "mean": self.mean,
            "deviation": self.deviation,
            "active": self.active,
            "entropy": self.entropy,
            "evenness": self.evenness,
            "outliers": self.outliers,
            "similarity": self.similarity,
        }


def statistics(matrix: ImportanceMatrix) -> Iterator[EntryStatistics]:
    """The statistics of each entry, in the order of `matrix.entries`. Holds two entries in memory at most."""
    with ImportanceData(matrix) as data:
        for entry in matrix.entries.values():
            yield _of(entry, matrix, data)


def _of(entry: Entry, matrix: ImportanceMatrix, data: ImportanceData) -> EntryStatistics:
    sums = data.sums(entry).astype(np.float64).reshape(len(entry.counts), -1)
    counts = np.array(entry.counts, np.float64)
    chosen = counts > 0
    known = (entry.name, entry.n_values, len(counts), int(chosen.sum()), (min(entry.counts), max(entry.counts)))
    values = (sums[chosen] / counts[chosen, None]).ravel()
    if not values.size or not np.isfinite(values).all():
        return EntryStatistics(*known, finite=bool(np.isfinite(values).all()))
    energy, mean, deviation = float(values.sum()), float(values.mean()), float(values.std())
    entropy = _entropy(values, energy)
    return EntryStatistics(
        *known,
        finite=True,
        energy=energy,
        smallest=float(values.min()),
        largest=float(values.max()),
        mean=mean,
        deviation=deviation,
        active=float((np.abs(values) > INACTIVE).mean()),
        entropy=entropy,
        evenness=entropy / float(np.log2(values.size)) if values.size > 1 else 1.0,
        outliers=float(((values - mean) > deviation).mean()) if deviation else 0.0,
        similarity=_similarity(sums.ravel(), _before(entry.name, matrix), data),
    )


def _entropy(values: NDArray[np.float64], total: float) -> float:
    shares = values[values > 0] / total if total > 0 else values[:0]
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _before(name: str, matrix: ImportanceMatrix) -> Entry | None:
    """The entry of the same tensor one layer before."""
    found = re.match(r"blk\.(\d{1,9})\.", name)
    return matrix.entries.get(f"blk.{int(found[1]) - 1}.{name[found.end() :]}") if found else None


def _similarity(sums: NDArray[np.float64], before: Entry | None, data: ImportanceData) -> float | None:
    if before is None or before.n_values != sums.size:
        return None
    other = data.sums(before).astype(np.float64)
    size = float(np.sqrt((sums @ sums) * (other @ other)))
    return float(sums @ other) / size if size > 0 and np.isfinite(size) else None
