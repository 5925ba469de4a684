from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ggufpress.arch.ops import (
    Add,
    NegExp,
    Op,
    RopePermute,
    RopeUnpermute,
    Scale,
    ScaleRows,
    SwapColumns,
    compose,
    stacked_shape,
)
from ggufpress.arch.torch_exp import torch_exp
from ggufpress.errors import MappingError


def test_rope_permute_interleaves_the_halves_of_each_head() -> None:
    rows = np.array(["a0", "a1", "b0", "b1", "c0", "c1", "d0", "d1"])
    assert RopePermute(2).apply(rows, 4).tolist() == ["a0", "b0", "a1", "b1", "c0", "d0", "c1", "d1"]


@given(heads=st.integers(1, 6), half=st.integers(1, 5), cols=st.integers(0, 3))
def test_inverse_and_shape(heads: int, half: int, cols: int) -> None:
    shape = (heads * 2 * half,) if cols == 0 else (heads * 2 * half, cols)
    values = np.arange(np.prod(shape)).reshape(shape)
    op = RopePermute(heads)
    period = op.period(shape)
    done = op.apply(values, period)
    assert done.shape == op.out_shape(shape)
    assert (op.inverse().apply(done, period) == values).all()
    assert op.inverse().inverse() == op


@given(heads=st.integers(1, 6), half=st.integers(1, 5))
def test_whole_periods_can_be_processed_alone(heads: int, half: int) -> None:
    values = np.arange(heads * 2 * half * 3).reshape(-1, 3)
    op = RopePermute(heads)
    period = op.period(values.shape)
    parts = [op.apply(values[i : i + period], period) for i in range(0, len(values), period)]
    assert (np.concatenate(parts) == op.apply(values, period)).all()


@pytest.mark.parametrize("op", [RopePermute(4), RopeUnpermute(4)])
@pytest.mark.parametrize("shape", [(12, 8), (6,), ()])
def test_rows_that_do_not_divide_are_named(op: Op, shape: tuple[int, ...]) -> None:
    with pytest.raises(MappingError, match="4 heads"):
        op.out_shape(shape)


def test_compose_gives_shape_and_period() -> None:
    assert compose((RopePermute(4), RopePermute(2)), (16, 5)) == ((16, 5), 8)
    assert compose((), (16, 5)) == ((16, 5), 1)


def test_stacking_adds_an_axis_only_for_several() -> None:
    assert stacked_shape([(3, 2)]) == (3, 2)
    assert stacked_shape([(3, 2)] * 4) == (4, 3, 2)


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_add_rounds_once_in_the_type_of_the_weights(kind: type) -> None:
    rows: NDArray[Any] = np.array([[1e-4, -1.0, 3.0]], kind)
    done = Add(1).apply(rows, 1)
    assert done.dtype == kind
    assert (done == (rows.astype(np.float64) + 1).astype(kind)).all()
    assert (Add(1).out_shape((3, 2)), Add(1).inverse(), str(Add(1))) == ((3, 2), Add(-1), "add(1)")


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_scale_rounds_the_product_with_a_float32_constant_once(kind: type) -> None:
    rows: NDArray[Any] = np.array([[1e-3, -1.0, 3.0]], kind)
    done = Scale(0.3906).apply(rows, 1)
    assert done.dtype == kind
    assert (done == (rows.astype(np.float64) * np.float32(0.3906)).astype(np.float32).astype(kind)).all()
    assert (Scale(2).out_shape((3, 2)), Scale(2).inverse(), str(Scale(2))) == ((3, 2), Scale(0.5), "scale(2)")


@given(first=st.integers(0, 6), count=st.integers(1, 7))
def test_rows_are_scaled_by_where_they_stand(first: int, count: int) -> None:
    op = ScaleRows(((2, 2.0), (1, 0.5), (4, 3.0)))
    rows = np.arange(1, 15, dtype=np.float32).reshape(7, 2)
    whole = op.apply(rows, 1)
    assert (whole[:, 0] / rows[:, 0]).tolist() == [2, 2, 0.5, 3, 3, 3, 3]
    part = rows[first : first + count]
    assert (op.at(first).apply(part, 1) == whole[first : first + count]).all()
    assert (op.inverse().apply(whole, 1) == rows).all() or np.allclose(op.inverse().apply(whole, 1), rows)
    with pytest.raises(MappingError, match="7 that the config"):
        op.out_shape((8, 2))


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_decay_rates_are_minus_exponentials(kind: type) -> None:
    rows: NDArray[Any] = np.array([[-3.0, 0.0], [1.0, 2.5]], kind)
    done = NegExp().apply(rows, 1)
    assert done.dtype == kind
    assert (done == (-torch_exp(rows.astype(np.float32))).astype(kind)).all()
    assert done[0, 1] == -1
    assert np.allclose(NegExp().inverse().apply(done, 1), rows, atol=2e-3)
    assert NegExp().inverse().inverse() == NegExp()


@given(groups=st.integers(1, 4), parts=st.integers(1, 4), width=st.integers(1, 3), rows=st.integers(1, 3))
def test_columns_of_groups_become_groups_of_columns(groups: int, parts: int, width: int, rows: int) -> None:
    values = np.arange(rows * groups * parts * width).reshape(rows, -1)
    op = SwapColumns(groups, parts)
    done = op.apply(values, 1)
    split = values.reshape(rows, groups, parts, width)
    assert done[0].tolist() == [n for j in range(parts) for g in range(groups) for n in split[0, g, j].tolist()]
    assert (op.inverse().apply(done, 1) == values).all()
    assert op.out_shape(values.shape) == done.shape
    with pytest.raises(MappingError, match="no columns"):
        op.out_shape((rows, groups * parts * width + 1) if groups * parts > 1 else (rows,))
