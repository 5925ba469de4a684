"""`ggufpress try`, and `quantize --try`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ggufpress.llama import library as opened
from ggufpress.llama.library import library
from tests.cli.running import Run
from tests.tiny_checkpoints import BARD


def test_what_is_said_goes_to_standard_output(run: Run, bard: dict[str, Path]) -> None:
    outcome = run("try", bard["Q4_K_M"], "--raw", "-p", "ROMEO:\n", "-n", 8, "--threads", 1)
    assert outcome.code == 0
    assert outcome.out == "If he be a man, I\n"
    assert "8 tokens at" in outcome.err
    assert "xllamacpp" in outcome.err
    quiet = run("try", bard["Q4_K_M"], "--raw", "-p", "ROMEO:\n", "-n", 8, "--threads", 1, "--quiet")
    assert (quiet.out, quiet.err) == (outcome.out, "")


def test_a_file_that_does_not_load_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"GGUF, or is it?")
    outcome = run("try", "no.gguf")
    assert outcome.code == 1
    assert "no.gguf does not load in llama.cpp" in outcome.err


def test_without_llama_cpp_one_line_says_how_to_install_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MODULES", ())
    library.cache_clear()
    for words in (("try", "some.gguf"), ("quantize", BARD, "--try")):
        outcome = run(*words)
        assert outcome.code == 1
        assert 'hint: pip install "ggufpress[run]"' in outcome.err
    library.cache_clear()
    assert not list(Path().glob("*.gguf"))


def test_quantize_tries_each_file(run: Run) -> None:
    outcome = run("quantize", BARD, "-q", "Q8_0", "-q", "Q4_0", "--try", "--threads", 1, "--json")
    tried = json.loads(outcome.out)["tried"]
    assert [Path(spoken["path"]).name for spoken in tried] == ["bard-4m-Q8_0.gguf", "bard-4m-Q4_0.gguf"]
    assert all(spoken["text"] and spoken["prompt_made_by"] == "chat template" for spoken in tried)
    again = run("quantize", BARD, "-q", "Q8_0", "--try", "--threads", 1, "--force")
    assert "it runs, and says\nbard-4m-Q8_0.gguf  " in again.out
