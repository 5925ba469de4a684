from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress.errors import ImatrixError
from ggufpress.imatrix.read import read_imatrix
from ggufpress.imatrix.sums import Collected, Sums, dat_bytes, gguf_bytes, loaded, merged, with_dataset
from tests.quality.recorded import DATA, MATRICES, Matrix


def sums(values: list[float], counts: list[int]) -> Sums:
    return Sums(np.array(values, np.float32), np.array(counts, np.int64))


def collected(**entries: Sums) -> Collected:
    return Collected(entries, (b"a.txt",), 4)


@pytest.mark.parametrize("matrix", MATRICES, ids=lambda matrix: matrix.file)
def test_what_llama_imatrix_wrote_is_written_again(matrix: Matrix) -> None:
    read = loaded(read_imatrix(DATA / matrix.file), matrix.n_ctx)
    assert read.chunk_count == matrix.n_chunks
    written = dat_bytes(read) if matrix.dat else gguf_bytes(read)
    assert written == (DATA / matrix.file).read_bytes()


def test_matrices_add_up_and_one_count_stands_for_many() -> None:
    both = merged([collected(x=sums([1, 2, 3, 4], [8])), collected(x=sums([1, 1, 1, 1], [2, 6]), y=sums([5], [1]))], 4)
    assert both.entries["x"].values.tolist() == [2, 3, 4, 5]
    assert both.entries["x"].counts.tolist() == [10, 14]
    assert both.entries["y"].values.tolist() == [5]
    assert (both.datasets, both.chunk_count) == ((b"a.txt", b"a.txt"), 3)
    assert merged([], 4).chunk_count == 0


@pytest.mark.parametrize("other", [sums([1], [1]), sums([1, 2, 3, 4, 5, 6], [1, 2, 3])])
def test_what_does_not_fit_is_an_error(other: Sums) -> None:
    with pytest.raises(ImatrixError, match=r"^x has"):
        merged([collected(x=sums([1, 2, 3, 4, 5, 6], [1, 2])), collected(x=other)], 4)


def test_experts_that_were_never_chosen_weigh_1_in_the_older_format(tmp_path: Path) -> None:
    made = collected(x=sums([0, 0, 8, 16], [0, 8]), y=sums([0, 0], [0, 0]))
    assert made.idle == {"x": 1, "y": 2}
    (tmp_path / "a.dat").write_bytes(dat_bytes(made))
    read = read_imatrix(tmp_path / "a.dat")
    assert list(read.entries) == ["x"]
    assert loaded(read, 1).entries["x"].values.tolist() == [2, 2, 2, 4]
    assert read.datasets == (b"a.txt",)


def test_a_text_is_added_to_the_names() -> None:
    assert with_dataset(collected(), b"b.txt").datasets == (b"a.txt", b"b.txt")
