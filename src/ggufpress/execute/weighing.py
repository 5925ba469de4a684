"""Cutting a slab into runs of rows that share importance: each matrix of stacked experts has its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ggufpress.execute.slabs import Slab
from ggufpress.imatrix.matrix import ImportanceData
from ggufpress.planning import PlannedTensor


@dataclass(frozen=True, slots=True)
class Run:
    """`elements` weights of a slab from its weight `first` on, rows whole, and what their columns weigh or None."""

    first: int
    elements: int
    weights: NDArray[np.float32] | None


def weighted_runs(planned: PlannedTensor, slab: Slab, data: ImportanceData | None) -> Iterator[Run]:
    """The runs of `slab`, in order: one where nothing is weighed, else one per matrix that it touches."""
    if planned.decision.importance == "none":
        yield Run(0, slab.elements, None)
        return
    cols = planned.shape[-1]
    if planned.entry is None or data is None:
        yield Run(0, slab.elements, np.ones(cols, np.float32))
        return
    per_matrix = prod(planned.shape[-2:])
    at = 0
    while at < slab.elements:
        which, inside = divmod(slab.first + at, per_matrix)
        count = min(slab.elements - at, per_matrix - inside)
        yield Run(at, count, data.weights(planned.entry, which * cols, cols))
        at += count
