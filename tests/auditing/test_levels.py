"""Levels of blocks against what ggml's quantizers choose."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ggufpress.auditing.levels import LEVELS, off_level, on_one_line, place, values
from ggufpress.quant.types import BY_NAME
from tests.auditing.fma import ours

ALL = sorted(LEVELS)
FITTED = [name for name in ALL if LEVELS[name].fitted]
COLS = 512


def weights(seed: int = 0) -> NDArray[np.float32]:
    """Rows with outliers, tiny weights, zeros, a narrow range far from zero."""
    rng = np.random.default_rng(seed)
    found = (rng.standard_t(4, (64, COLS)) * 0.02).astype(np.float32)
    found[3], found[5], found[7] = 0, found[5] * 1e4, 0.1 + found[7] * 1e-3
    found[:, :32] *= np.float32(1e-3)
    return found


def columns() -> NDArray[np.float32]:
    """Importance with columns that weigh 100 times the others, and some that weigh nothing."""
    rng = np.random.default_rng(1)
    found = np.exp(rng.normal(0, 1.5, COLS)).astype(np.float32)
    found[::97] *= 100
    found[::50] = 0
    return found


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("name", ALL)
def test_every_weight_has_the_level_nearest_to_it(name: str, weighed: bool) -> None:
    qtype = BY_NAME[name]
    blocks = ours(weights(), qtype, columns() if weighed else None)
    off, placed = off_level(weights().reshape(-1, qtype.block).astype(float), blocks, qtype, fitted=weighed)
    assert not off.any()
    assert (placed.step > 0).mean() > 0.9


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("name", [name for name in ALL if name not in FITTED])
def test_another_level_is_found_in_every_block(name: str, weighed: bool) -> None:
    qtype, levels = BY_NAME[name], LEVELS[name]
    x = weights().reshape(-1, qtype.block).astype(float)
    blocks = ours(weights(), qtype, columns() if weighed else None)
    before = values(blocks, qtype)
    blocks[:, levels.last - 5] ^= 0x55
    changed = (values(blocks, qtype) != before).any(axis=1)
    assert changed.mean() > 0.8
    off, _ = off_level(x, blocks, qtype, fitted=weighed)
    # a middle between two levels may be rounded to either side
    assert off[changed].any(axis=1).mean() > 0.9


@pytest.mark.parametrize("name", FITTED)
def test_one_scale_must_explain_all_levels(name: str) -> None:
    qtype, levels = BY_NAME[name], LEVELS[name]
    x = weights().reshape(-1, qtype.block).astype(float)
    blocks = ours(weights(), qtype, columns())
    strict, _ = off_level(x, blocks, qtype, fitted=False)
    assert strict.any()
    blocks[:, levels.first + 6] ^= 0x88
    off, placed = off_level(x, blocks, qtype, fitted=True)
    telling = (np.abs(x).max(axis=1) > 0.01) & (placed.step > 0).all(axis=1)
    assert off[telling].any(axis=1).mean() > 0.95


def test_lines() -> None:
    levels = LEVELS["Q4_1"]
    x = np.array([[0.0, 1.0, 2.0, 3.0]])
    for level, found in (([0, 1, 2, 3], True), ([0, 2, 4, 6], True), ([3, 2, 1, 0], True), ([0, 5, 6, 7], False),
                         ([0, 15, 15, 15], True), ([5, 5, 5, 5], True), ([1, 3, 2, 4], False)):  # fmt: skip
        assert on_one_line(x, np.array([level]), levels).tolist() == [found], level
    # with a level for zero a line has no room to move
    fixed = LEVELS["Q4_0"]
    assert on_one_line(x, np.array([[8, 9, 10, 11]]), fixed).tolist() == [True]
    assert on_one_line(x, np.array([[9, 10, 11, 12]]), fixed).tolist() == [False]
    assert on_one_line(np.full((1, 4), np.nan), np.array([[8, 9, 10, 11]]), fixed).tolist() == [False]


def test_levels_lie_where_the_kernels_put_them() -> None:
    for name, levels in LEVELS.items():
        qtype = BY_NAME[name]
        rng = np.random.default_rng(3)
        blocks = ours(rng.normal(0, 1, (4, 1024)).astype(np.float32), qtype, None)
        blocks[:, levels.first : levels.last] = rng.integers(0, 256, (len(blocks), levels.last - levels.first))
        stored = values(blocks, qtype)
        placed = place(stored, blocks, qtype)
        # every value that bits can say is a level, but for those of TQ1_0 and TQ2_0 that no quantizer writes
        if not name.startswith("TQ"):
            assert np.abs(placed.excess).max() < 1e-4, name
