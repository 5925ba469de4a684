"""`ggufpress imatrix make` and `merge`, and `quantize --imatrix auto`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.tiny_checkpoints import BARD

SHORT = ("--ctx", 32, "--chunks", 3, "--threads", 1)


def test_make_merge_show_and_use(run: Run, bard: dict[str, Path]) -> None:
    first = run("imatrix", "make", bard["F16"], *SHORT, "-o", "a.gguf")
    assert first.code == 0
    assert "a.gguf: 28 tensors, 9.22 k numbers, 3 chunks" in first.err
    assert run("imatrix", "make", bard["F16"], *SHORT, "-o", "a.gguf").code == 1
    second = run("imatrix", "make", bard["F16"], *SHORT, "-o", "b.dat", "--merge", "a.gguf", "--json")
    assert json.loads(second.out)["chunks"] == 6
    both = run("imatrix", "merge", "a.gguf", "b.dat", "-o", "both.gguf", "--quiet")
    assert both.out == "both.gguf\n"
    shown = json.loads(run("imatrix", "show", "both.gguf", "--json").out)
    assert (shown["chunks"], shown["chunk_size"]) == (9, 32)
    assert shown["datasets"] == ["calibration.txt", "calibration.txt"]
    assert run("quantize", BARD, "-q", "IQ2_XS", "--imatrix", "both.gguf", "--quiet").code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["a.gguf", "b.dat", "bard-4m-IQ2_XS.gguf", "both.gguf"]


def test_quantize_makes_one_by_itself(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("words.txt").write_text("To be, or not to be, that is the question. " * 120)
    outcome = run("quantize", BARD, "-q", "IQ2_XS", "--imatrix", "auto", "--calibration", "words.txt", "--threads", 1)
    assert outcome.code == 0
    assert "an importance matrix is made of words.txt" in outcome.err
    assert "28 tensors are made with importance" in outcome.err
    assert run("quantize", BARD, "--calibration", "words.txt").code == 2
    assert run("plan", BARD, "--imatrix", "auto").code == 2
