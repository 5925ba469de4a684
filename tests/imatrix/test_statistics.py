"""Statistics of importance matrices, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress.imatrix.read import read_imatrix
from ggufpress.imatrix.statistics import EntryStatistics, statistics
from tests.imatrix.files import Sums, gguf_bytes


def found(tmp_path: Path, **entries: Sums) -> dict[str, EntryStatistics]:
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf_bytes({name.replace("_", "."): entry for name, entry in entries.items()}))
    return {item.name: item for item in statistics(read_imatrix(path))}


def entry(sums: list[list[float]], counts: list[float]) -> Sums:
    return Sums(np.array(sums, np.float32), np.array(counts, np.float32))


def test_numbers_of_a_dense_tensor(tmp_path: Path) -> None:
    item = found(tmp_path, x=entry([[2, 2, 2, 10]], [2]))["x"]
    assert (item.energy, item.smallest, item.largest, item.mean) == (8, 1, 5, 2)
    assert item.deviation == pytest.approx(3**0.5)
    assert item.entropy == pytest.approx(3 * 3 / 8 + 5 / 8 * np.log2(8 / 5))
    assert item.evenness == pytest.approx((item.entropy or 0) / 2)
    assert (item.active, item.outliers, item.experts, item.counts, item.similarity) == (1, 0.25, 1, (2, 2), None)


def test_experts_that_were_never_chosen_do_not_count(tmp_path: Path) -> None:
    item = found(tmp_path, x=entry([[9, 9], [3, 0]], [0, 3]))["x"]
    assert (item.experts, item.covered, item.counts, item.energy, item.active) == (2, 1, (0, 3), 1, 0.5)
    unseen = found(tmp_path, x=entry([[9, 9]], [0]))["x"]
    assert (unseen.covered, unseen.energy, unseen.finite) == (0, None, True)


def test_similarity_is_to_the_layer_before(tmp_path: Path) -> None:
    got = found(tmp_path, blk_0_q=entry([[3, 0]], [1]), blk_1_q=entry([[5, 5]], [5]), blk_2_q=entry([[1, 1, 1]], [1]))
    assert got["blk.0.q"].similarity is None
    assert got["blk.1.q"].similarity == pytest.approx(0.5**0.5)
    assert got["blk.2.q"].similarity is None


def test_what_is_not_finite_has_no_numbers(tmp_path: Path) -> None:
    item = found(tmp_path, x=entry([[1, float("inf")]], [1]))["x"]
    assert (item.finite, item.energy) == (False, None)


def test_zeros_and_single_columns(tmp_path: Path) -> None:
    item = found(tmp_path, x=entry([[0, 0]], [1]))["x"]
    assert (item.energy, item.entropy, item.active, item.outliers) == (0, 0, 0, 0)
    assert found(tmp_path, x=entry([[4]], [1]))["x"].evenness == 1
