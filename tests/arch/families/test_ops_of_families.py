"""Ops and gathers that one family alone has: what they do, and that their inverses undo it."""

from __future__ import annotations

import numpy as np
import pytest

from ggufpress.arch.families.bailing3 import Exp
from ggufpress.arch.families.bitnet import Ternary
from ggufpress.arch.families.chameleon import FirstRowForHeads
from ggufpress.arch.families.glm4 import PairsToHalves
from ggufpress.arch.families.granite_switch import BehindZeros, HeadsToPairs, Stacked
from ggufpress.arch.families.talkie import FlipHalf
from ggufpress.arch.gather import ZEROS, FirstRows
from ggufpress.arch.ops import RopePermute
from ggufpress.errors import MappingError
from tests.arch.test_gather import gathered


def test_pairs_of_the_rotated_part_become_halves() -> None:
    op = PairsToHalves(6, 4)
    rows = np.array([[0], [10], [1], [11], [7], [8]])
    assert op.apply(rows, 6).ravel().tolist() == [0, 1, 10, 11, 7, 8]


@pytest.mark.parametrize("op", [PairsToHalves(6, 4), PairsToHalves(8, 8), FlipHalf(6), FlipHalf(5)])
def test_inverses_undo(op: PairsToHalves | FlipHalf) -> None:
    rows = np.random.default_rng(0).standard_normal((4 * op.head_dim, 3)).astype(np.float32)
    assert op.out_shape(rows.shape) == rows.shape
    there = op.apply(rows, op.period(rows.shape))
    assert there.shape == rows.shape
    assert not np.array_equal(there, rows)
    assert np.array_equal(op.inverse().apply(there, op.period(rows.shape)), rows)


def test_the_second_half_of_a_head_changes_its_sign() -> None:
    rows = np.array([[1.0], [2.0], [-0.0], [4.0]], np.float32)
    flipped = FlipHalf(4).apply(rows, 4).ravel()
    assert flipped.tolist() == [1, 2, 0, -4]
    assert not np.signbit(flipped[2])


@pytest.mark.parametrize(
    ("op", "shape"), [(PairsToHalves(6, 4), (7, 2)), (PairsToHalves(6, 3), (6, 2)), (FlipHalf(4), (6, 2))]
)
def test_shapes_that_are_no_heads(op: PairsToHalves | FlipHalf, shape: tuple[int, ...]) -> None:
    with pytest.raises(MappingError):
        op.out_shape(shape)


def test_the_first_row_is_read_again_and_again() -> None:
    gather = FirstRowForHeads(3)
    assert gather.out_shape((2, 4)) == (3, 4)
    assert list(gather.runs((2, 4), 2, 8)) == [(2, 2), (0, 4), (0, 2)]
    with pytest.raises(MappingError):
        gather.out_shape((4,))


def test_rows_behind_the_vocabulary_are_left_out() -> None:
    gather = FirstRows(3)
    assert (gather.out_shape((5, 2)), gather.out_shape((2, 2))) == ((3, 2), (2, 2))
    assert list(gather.runs((5, 2), 1, 4)) == [(1, 4)]
    with pytest.raises(MappingError):
        gather.out_shape(())


def test_weights_become_three_numbers() -> None:
    rows = np.array([[0.5, -0.5, 0.1], [2.0, -0.1, 0.25]], np.float32)
    mean = np.abs(rows).mean(dtype=np.float32)
    got = Ternary().measured([rows[:1], rows[1:]]).apply(rows, 1)
    assert np.array_equal(np.sign(got), [[1, -1, 0], [1, 0, 0]])
    assert np.allclose(np.abs(got[got != 0]), mean)


@pytest.mark.parametrize(("dtype", "half"), [(np.float16, True), (np.float32, False)])
def test_weights_in_f16_are_rounded_to_it_again(dtype: type, half: bool) -> None:
    rows = np.random.default_rng(0).standard_normal((4, 8)).astype(dtype).astype(np.float32)
    got = Ternary().measured([rows]).apply(rows, 1)
    assert np.array_equal(got, got.astype(np.float16).astype(np.float32)) == half


@pytest.mark.parametrize("step", [1, 5, 24])
def test_the_first_heads_go_from_halves_to_pairs(step: int) -> None:
    rows = np.arange(24).reshape(12, 2)
    wanted = np.concatenate([RopePermute(2).apply(rows[:8], 4), rows[8:]])
    assert np.array_equal(gathered(HeadsToPairs(2, 4), rows, step), wanted)
    for shape in ((7, 2), (8,)):
        with pytest.raises(MappingError, match="2 heads of 4 rows"):
            HeadsToPairs(2, 4).out_shape(shape)


def test_adapters_stand_behind_one_of_zeros() -> None:
    gather = BehindZeros()
    assert gather.out_shape((2, 1, 3, 5)) == (9, 5)
    assert list(gather.runs((2, 1, 3, 5), 10, 10)) == [(ZEROS, 5), (0, 5)]
    assert list(gather.runs((2, 1, 3, 5), 20, 10)) == [(5, 10)]
    assert Stacked(3).out_shape((9, 5)) == (3, 3, 5)
    for op, shape in ((gather, (2, 3, 5)), (Stacked(2), (9, 5))):
        with pytest.raises(MappingError):
            op.out_shape(shape)


def test_exponentials() -> None:
    assert Exp().apply(np.array([0.0, 1.0, 100.0], np.float32), 1) == pytest.approx([1, np.e, np.inf])
