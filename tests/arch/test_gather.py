from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ggufpress.arch.gather import Gather, Regroup, Transpose, leftover
from ggufpress.errors import MappingError


def gathered(gather: Gather, stored: NDArray[Any], step: int) -> NDArray[Any]:
    """The whole result, made in slabs of `step` weights as the pipeline does it."""
    flat, shape = stored.ravel(), stored.shape
    result = gather.out_shape(shape)
    total = int(np.prod(result))
    limit = gather.limit(shape) or total
    parts, first = [], 0
    while first < total:
        count = min(step, limit - first % limit, total - first)
        runs = [flat[start : start + n] for start, n in gather.runs(shape, first, count)]
        parts.append(gather.arrange(np.concatenate(runs), shape).ravel())
        first += count
    return np.concatenate(parts).reshape(result)


@given(groups=st.integers(1, 4), q=st.integers(1, 3), cols=st.integers(0, 3), rows=st.integers(1, 9))
def test_regroup_sorts_the_parts_of_every_group(groups: int, q: int, cols: int, rows: int) -> None:
    width = q + 2
    stored = np.arange(groups * width * (cols or 1)).reshape((groups * width, cols) if cols else (-1,))
    split = stored.reshape(groups, width, *stored.shape[1:])
    wanted = np.concatenate(
        [split[:, a:b].reshape(-1, *stored.shape[1:]) for a, b in ((0, q), (q, q + 1), (q + 1, width))]
    )
    regroup = Regroup(groups, ((0, q), (q, q + 1), (q + 1, width)))
    assert (gathered(regroup, stored, rows * (cols or 1)) == wanted).all()


@given(step=st.integers(1, 7))
def test_regroup_takes_rows_of_every_matrix_of_a_stack(step: int) -> None:
    stored = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    assert (gathered(Regroup(3, ((2, 4),)), stored, step * 5) == stored[:, 2:]).all()


@given(shape=st.sampled_from([(3, 4), (5, 1), (2, 3, 4)]), rows=st.integers(1, 5))
def test_transpose_swaps_the_last_axes(shape: tuple[int, ...], rows: int) -> None:
    stored = np.arange(np.prod(shape)).reshape(shape)
    assert (gathered(Transpose(), stored, rows * shape[-2]) == stored.swapaxes(-1, -2)).all()


@pytest.mark.parametrize("shape", [(7, 2), (2, 3, 4)])
def test_rows_that_do_not_divide_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(MappingError, match="4 groups"):
        Regroup(4, ((0, 1),)).out_shape(shape)
    with pytest.raises(MappingError, match="do not hold"):
        Regroup(1, ((0, 99),)).out_shape((7, 2))
    with pytest.raises(MappingError, match="no matrix"):
        Transpose().out_shape((3,))


def test_a_stored_tensor_must_be_used_row_by_row_exactly_once() -> None:
    low, high = Regroup(2, ((0, 2),)), Regroup(2, ((2, 3),))
    assert leftover([low, high], (6, 1)) is None
    assert leftover([low], (6, 1)) == "is not used row by row exactly once"
    assert leftover([low, low, high], (6, 1)) == "is not used row by row exactly once"
    assert leftover([None, low], (6, 1)) == "is used as a whole and in parts"
    assert leftover([None, None], (6, 1)) == "is used by several rules"


@given(kept=st.integers(0, 3), groups=st.integers(1, 3), cols=st.integers(1, 3), rows=st.integers(1, 9))
def test_kept_rows_stay_before_the_groups(kept: int, groups: int, cols: int, rows: int) -> None:
    stored = np.arange((kept + groups * 3) * cols).reshape(-1, cols)
    split = stored[kept:].reshape(groups, 3, cols)
    wanted = np.concatenate([stored[:kept], split[:, 2], split[:, :2].reshape(-1, cols)])
    regroup = Regroup(groups, ((2, 3), (0, 2)), kept)
    assert (gathered(regroup, stored, rows * cols) == wanted).all()
    assert leftover([regroup], stored.shape) is None
    with pytest.raises(MappingError, match="does not divide"):
        Regroup(groups, ((0, 1),), len(stored) + 1).out_shape(stored.shape)
