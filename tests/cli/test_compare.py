"""`ggufpress compare` as a person and as a program meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ggufpress import quantize
from tests.cli.running import Outcome, Run
from tests.tiny_checkpoints import BARD


@pytest.fixture
def files(run: Run) -> None:
    """Two files in the current folder."""
    quantize(BARD, ["Q4_K_M"], output="a.gguf")
    quantize(BARD, ["Q8_0"], output="b.gguf")


@pytest.mark.usefixtures("files")
def test_equal_files_are_said_to_be(run: Run) -> None:
    done = run("compare", "a.gguf", "a.gguf")
    assert (done.code, done.err) == (0, "")
    assert "* equal: the same keys, tensors and weights in the same order" in done.out
    assert "39 of 39 tensors have the same bytes" in done.out


@pytest.mark.usefixtures("files")
def test_what_differs_is_shown_worst_first(run: Run) -> None:
    done = run("compare", "a.gguf", "b.gguf")
    assert done.code == 1
    places = [done.out.index(part) for part in ("looks like Q4_K_M", "By role", "By layer", "the 15 worst of 30")]
    assert places == sorted(places)
    assert "general.file_type  changed  15 -> 7" in done.out
    assert sum(" -> Q8_0" in line for line in run("compare", "a.gguf", "b.gguf", "--all").out.splitlines()) == 30 + 1


@pytest.mark.usefixtures("files")
def test_quiet_prints_the_verdict_and_json_everything(run: Run) -> None:
    quiet: Outcome = run("compare", "a.gguf", BARD, "--quiet")
    assert (quiet.code, quiet.err) == (1, "")
    assert quiet.out.splitlines()[-1] == "a.gguf looks like Q4_K_M"
    found = json.loads(run("compare", "a.gguf", "b.gguf", "--json").out)
    assert (found["equal"], found["right"]["mix"]["text"]) == (False, "Q8_0")


@pytest.mark.usefixtures("files")
def test_a_picture_is_drawn(run: Run) -> None:
    assert run("compare", "a.gguf", "b.gguf", "--plot", "errors.svg").err == "drawn: errors.svg\n"
    assert Path("errors.svg").read_text().startswith("<svg ")
    again = run("compare", "a.gguf", "b.gguf", "--plot", "errors.svg")
    assert (again.code, "errors.svg exists already" in again.err) == (1, True)
    assert run("compare", "a.gguf", "b.gguf", "--plot", "errors.png").code == 2


def test_what_is_wrong_is_said(run: Run) -> None:
    assert run("compare", BARD, BARD).code == 2
    missing = run("compare", "none.gguf", BARD)
    assert (missing.code, missing.out) == (3, "")
