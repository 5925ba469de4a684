from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress import plan, quantize
from ggufpress.errors import UsageError
from ggufpress.gguf.reader import read_gguf
from ggufpress.imatrix.auto import auto_matrix, cache
from ggufpress.imatrix.read import read_imatrix
from tests.tiny_checkpoints import BARD


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("To be, or not to be, that is the question. " * 90)
    return path


def test_a_matrix_is_made_once_per_source_and_text(text: Path, bard: dict[str, Path]) -> None:
    said: list[str] = []
    path = auto_matrix(str(BARD), text, n_threads=1, tell=said.append)
    assert path.parent == cache()
    assert read_imatrix(path).datasets == (b"words.txt",)
    assert [path] == list(cache().iterdir())
    assert auto_matrix(str(BARD), text, tell=said.append) == path
    assert said[-1].startswith("the importance matrix was made before")
    assert auto_matrix(str(bard["Q8_0"]), text, n_threads=1) != path
    text.write_text(text.read_text() + " Nay.")
    assert auto_matrix(str(BARD), text, n_threads=1) != path


def test_quantize_makes_and_names_it(text: Path, tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["IQ2_XS"], output=tmp_path, imatrix="auto", calibration=text, threads=1).files
    keys = read_gguf(file.path).metadata
    assert keys["quantize.imatrix.file"].data == "auto"
    assert keys["quantize.imatrix.dataset"].data == "words.txt"
    named = quantize(BARD, ["IQ2_XS"], output=tmp_path / "named.gguf", imatrix="auto", calibration=text,
                     imatrix_name="mine", threads=1)  # fmt: skip
    assert read_gguf(named.files[0].path).metadata["quantize.imatrix.file"].data == "mine"


def test_a_plan_reads_headers_alone() -> None:
    with pytest.raises(UsageError, match="only quantize makes an importance matrix"):
        plan(BARD, ["IQ2_XS"], imatrix="auto")
