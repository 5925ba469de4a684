"""`ggufpress audit` as a person and as a program meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ggufpress import quantize
from ggufpress.gguf.values import text
from tests.cli.running import Run
from tests.comparison.files import rewritten
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD


@pytest.fixture
def files(run: Run) -> None:
    """A file with an importance matrix in the current folder."""
    Path("imatrix.gguf").write_bytes(matrix_bytes("gguf", entries(BARD)))
    quantize(BARD, ["Q4_K_M"], output="a.gguf", imatrix="imatrix.gguf")


@pytest.mark.usefixtures("files")
def test_exit_codes_say_how_much_is_proven(run: Run) -> None:
    proven = run("audit", "a.gguf", "--source", BARD, "--imatrix", "imatrix.gguf", "--attest", "a.json")
    assert proven.code == 0
    assert "39  identical" in proven.out
    assert proven.err == "a.gguf: identical\n"
    assert json.loads(Path("a.json").read_text())["predicate"]["result"] == "PASSED"
    unknown = run("audit", "a.gguf", "--source", BARD)
    assert unknown.code == 5
    assert "28  consistent with an unknown importance matrix" in unknown.out
    assert run("audit", "a.gguf", "--source", BARD, "--quiet").out == "consistent with an unknown importance matrix\n"
    assert run("audit", "a.gguf", "--source", BARD, "--attest", "a.json").code == 1


@pytest.mark.usefixtures("files")
def test_what_is_wrong_is_shown(run: Run) -> None:
    def flip(name: str, data: bytearray) -> None:
        if name == "blk.1.ffn_up.weight":
            data[144 * 10 + 40] ^= 0x10

    rewritten(Path("a.gguf"), Path("b.gguf"), change=flip, keys={"tokenizer.chat_template": text("{{ x }}")})
    done = run("audit", "b.gguf", "--source", BARD)
    assert done.code == 1
    assert (
        "fault: blk.1.ffn_up.weight (Q4_K): weights are not at the level nearest to the source's; 1 of 768 blocks"
        in done.out
    )
    assert "    [10, " in done.out
    assert "the source says" in done.out
    assert "fault: chat template: tokenizer.chat_template" in done.out
    found = json.loads(run("audit", "b.gguf", "--source", BARD, "--json").out)
    assert (found["verdict"], found["counts"]["different"]) == ("different", 1)
    allowed = run("audit", "b.gguf", "--source", BARD, "--allow-key", "tokenizer.chat_template")
    assert "note: chat template: tokenizer.chat_template" in allowed.out


@pytest.mark.usefixtures("files")
def test_what_cannot_be_done_is_said(run: Run) -> None:
    assert run("audit", "a.gguf").code == 2
    assert run("audit", "a.gguf", "--source", "none").code == 3
    assert run("audit", "none.gguf", "--source", BARD).code == 3
    assert run("audit", "a.gguf", "--source", BARD, "--imatrix", "none").code == 3
