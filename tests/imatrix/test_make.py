"""Matrices made of the bundled model, beside those of llama-imatrix (tools/record_quality.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress import quantize
from ggufpress.errors import InputError, LlamaError, OutputError, UsageError
from ggufpress.imatrix import make as making
from ggufpress.imatrix.make import Made, Settings, make_matrix, partial_path, write_matrix
from ggufpress.imatrix.read import read_imatrix
from ggufpress.imatrix.sums import gguf_bytes, loaded
from ggufpress.quality.chunks import read_text
from ggufpress.texts import CALIBRATION
from tests.quality.recorded import DATA, MATRICES, Matrix, source_of
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import BARD, make

TEXT = read_text(CALIBRATION)
SMALL = Settings(n_ctx=16, n_chunks=9, batch=32, n_threads=1)


@pytest.mark.parametrize("matrix", MATRICES, ids=lambda matrix: matrix.file)
def test_a_matrix_is_llama_imatrix_s(matrix: Matrix, bard: dict[str, Path], tmp_path: Path) -> None:
    model = bard["F16"]
    if matrix.case != BARD.name:
        (file,) = quantize(source_of(matrix.case, tmp_path), ["F16"], output=tmp_path).files
        model = file.path
    settings = Settings(matrix.n_ctx, matrix.n_chunks, process_output=matrix.process_output, n_threads=1)
    made = make_matrix(model, TEXT, "some/calibration.txt", None, settings=settings)
    write_matrix(made.collected, tmp_path / matrix.file)
    ours = loaded(read_imatrix(tmp_path / matrix.file), matrix.n_ctx)
    theirs = loaded(read_imatrix(DATA / matrix.file), matrix.n_ctx)
    assert (ours.datasets, ours.chunk_count) == (theirs.datasets, theirs.chunk_count)
    assert list(ours.entries) == list(theirs.entries)
    for name, entry in theirs.entries.items():
        assert ours.entries[name].counts.tolist() == entry.counts.tolist()
        # the very numbers with the library that made the others; another one may round in another way
        assert np.allclose(ours.entries[name].values, entry.values, rtol=1e-4, atol=1e-5 * entry.values.max())


def stopped(model: Path, partial: Path, after: int, settings: Settings = SMALL) -> None:
    """A run that is interrupted."""

    def stop(done: int, total: int, words: str) -> None:
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_matrix(model, TEXT, "text", partial, settings=settings, progress=stop)


def made(model: Path, partial: Path | None = None, settings: Settings = SMALL) -> Made:
    return make_matrix(model, TEXT, "text", partial, settings=settings)


def test_a_run_that_was_stopped_goes_on_to_the_same_result(
    bard: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "KEEP_EVERY", 1)
    whole, partial = made(bard["F16"]), partial_path(tmp_path / "a.gguf")
    assert (whole.n_read, whole.n_resumed) == (9, 0)
    stopped(bard["F16"], partial, 6)
    assert partial.exists()
    resumed = made(bard["F16"], partial)
    # the last batch before the interruption was not kept yet
    assert (resumed.n_read, resumed.n_resumed) == (5, 4)
    assert gguf_bytes(resumed.collected) == gguf_bytes(whole.collected)


def test_what_another_run_left_is_not_taken_up(
    bard: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "KEEP_EVERY", 1)
    partial = partial_path(tmp_path / "a.gguf")
    stopped(bard["F16"], partial, 6)
    other = Settings(n_ctx=16, n_chunks=8, batch=32, n_threads=1)
    assert made(bard["F16"], partial, other).n_resumed == 0
    assert made(bard["Q8_0"], partial).n_resumed == 0
    partial.write_bytes(b"nothing of the kind")
    assert made(bard["F16"], partial).n_resumed == 0
    write_matrix(made(bard["F16"]).collected, partial, force=True)
    assert made(bard["F16"], partial).n_resumed == 0


def test_chunks_add_up_and_may_be_left_out(bard: dict[str, Path]) -> None:
    first = make_matrix(bard["F16"], TEXT, "one", None, settings=Settings(64, 2, batch=64, n_threads=1))
    rest = Settings(64, 2, skip=2, batch=64, n_threads=1)
    both = make_matrix(bard["F16"], TEXT, "two", None, settings=rest, before=[first.collected])
    whole = make_matrix(bard["F16"], TEXT, "all", None, settings=Settings(64, 4, batch=64, n_threads=1))
    assert both.collected.datasets == (b"one", b"two")
    for name, entry in whole.collected.entries.items():
        assert both.collected.entries[name].values.tolist() == entry.values.tolist()
        assert both.collected.entries[name].counts.tolist() == entry.counts.tolist() == [256]


def test_special_tokens_may_be_parsed(bard: dict[str, Path]) -> None:
    text = b"<s>a</s> " * 40
    plain = make_matrix(bard["F16"], text, "x", None, settings=Settings(16, n_threads=1)).n_read
    parsed = make_matrix(bard["F16"], text, "x", None, settings=Settings(16, parse_special=True, n_threads=1)).n_read
    assert parsed < plain


def test_wrong_use(bard: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="words has 3 tokens"):
        make_matrix(bard["F16"], b"one two", "words", None)
    with pytest.raises(UsageError, match="leaves fewer than two"):
        make_matrix(bard["F16"], b"one two " * 20, "words", None, settings=Settings(16, skip=3))
    with pytest.raises(UsageError, match="too few"):
        make_matrix(bard["F16"], TEXT, "words", None, settings=Settings(4))
    source = make(FAMILY_CASES["t5-gated"], tmp_path / "source")
    (file,) = quantize(source, ["F16"], output=tmp_path).files
    with pytest.raises(LlamaError, match="importance is not measured"):
        make_matrix(file.path, TEXT, "words", None)


def test_a_file_is_not_replaced_unasked(bard: dict[str, Path], tmp_path: Path) -> None:
    found = made(bard["F16"], None, Settings(16, 2, n_threads=1)).collected
    write_matrix(found, tmp_path / "a.gguf")
    with pytest.raises(OutputError, match="exists already"):
        write_matrix(found, tmp_path / "a.gguf")
    write_matrix(found, tmp_path / "a.gguf", force=True)
