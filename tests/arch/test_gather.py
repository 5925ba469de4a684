from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ggufpress.arch.gather import Columns, Gather, Regroup, Reshape, Then, Transpose, leftover
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


@given(start=st.integers(0, 2), step=st.integers(1, 3), rows=st.integers(1, 9))
def test_columns_that_alternate_are_told_apart(start: int, step: int, rows: int) -> None:
    start %= step
    stored = np.arange(4 * 2 * 6).reshape(4, 2, 6)
    columns = Columns(start, step=step)
    assert columns.spread == step
    assert (gathered(columns, stored, rows * (6 // step)) == stored[..., start::step]).all()


@given(start=st.integers(0, 4), length=st.integers(1, 4), rows=st.integers(1, 5))
def test_columns_of_a_range(start: int, length: int, rows: int) -> None:
    stored = np.arange(4 * 8).reshape(4, 8)
    columns = Columns(start, start + length)
    assert (gathered(columns, stored, rows * length) == stored[:, start : start + length]).all()


@given(
    columns=st.sampled_from([Columns(0, 3), Columns(3, 6), Columns(0, step=2), Columns(1, step=2), Columns(2, step=3)]),
    rows=st.integers(1, 7),
)
def test_a_transposition_takes_some_columns(columns: Columns, rows: int) -> None:
    stored = np.arange(3 * 4 * 6).reshape(3, 4, 6)
    taken = stored[..., columns.start : columns.stop : columns.step].swapaxes(-1, -2)
    assert (gathered(Transpose(columns), stored, rows * 4) == taken).all()


@given(rows=st.integers(1, 9))
def test_one_gather_after_the_other(rows: int) -> None:
    stored = np.arange(3 * 5 * 4).reshape(15, 4)
    keys = Then(Regroup(3, ((0, 2),)), Then(Reshape((3, 2, 4)), Transpose()))
    assert (gathered(keys, stored, rows * 2) == stored.reshape(3, 5, 4)[:, :2].swapaxes(1, 2)).all()
    values = Then(Regroup(3, ((2, 5),)), Reshape((3, 3, 4)))
    assert (gathered(values, stored, rows * 4) == stored.reshape(3, 5, 4)[:, 2:]).all()
    assert leftover([keys, values], (15, 4)) is None
    assert leftover([keys], (15, 4)) == "is not used row by row exactly once"


def test_columns_that_are_not_there_are_named() -> None:
    for columns in (Columns(4, 9), Columns(8), Columns(2, step=2), Columns(0, 4, 2), Columns(0, step=3)):
        with pytest.raises(MappingError, match="does not have the columns"):
            columns.out_shape((3, 8))
    with pytest.raises(MappingError, match="holds as many weights as"):
        Reshape((2, 3)).out_shape((5,))


def test_columns_are_used_once_in_all() -> None:
    even, odd = Columns(0, step=2), Columns(1, step=2)
    assert leftover([even, odd], (3, 8)) is None
    assert leftover([Transpose(even), Transpose(odd)], (2, 3, 8)) is None
    assert leftover([Columns(0, 4), Columns(4, 8)], (3, 8)) is None
    assert leftover([even, Columns(0, 4)], (3, 8)) == "is not used row by row exactly once"
    assert leftover([Transpose()], (3, 8)) is None
    assert leftover([Columns(0, 4), Regroup(1, ((0, 3),))], (3, 8)) == "is used in parts that do not go together"


def test_a_transposition_asks_for_runs_that_are_long_enough() -> None:
    assert Transpose().ample((2, 64, 100_000)) == 64 * 2048
    assert Transpose(Columns(0, step=2)).ample((2, 64, 100_000)) == 64 * 1024
    assert Transpose().ample((2, 64, 16)) == 64 * 16
    assert Regroup(1, ((0, 2),)).ample((2, 8)) == 0


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
