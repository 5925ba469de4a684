"""`ggufpress eval`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import Run
from tests.tiny_checkpoints import BARD

SHORT = ("--ctx", 64, "--chunks", 4, "--threads", 1)


def test_a_table_beside_a_checkpoint_that_is_converted_for_it(run: Run, bard: dict[str, Path]) -> None:
    outcome = run("eval", bard["Q4_K_M"], bard["Q2_K"], "--reference", BARD, "--work", ".", *SHORT)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].split()[:5] == ["file", "size", "bpw", "seconds", "PPL"]
    assert lines[1].startswith("reference: ")
    assert [line.split()[0] for line in lines[2:]] == ["bard-4m-Q4_K_M.gguf", "bard-4m-Q2_K.gguf"]
    assert "is converted to BF16 for now: 8,445,536 bytes" in outcome.err
    assert "valid.txt: 4 chunks of 64 tokens" in outcome.err
    assert not list(Path().iterdir())


def test_everything_as_json_and_the_essential_alone(run: Run, bard: dict[str, Path]) -> None:
    found = json.loads(run("eval", bard["Q8_0"], "--reference", bard["F16"], *SHORT, "--json").out)
    (file,) = found["files"]
    assert file["scored_tokens"] == 4 * 31
    assert file["against_reference"]["kl_divergence"]["percentiles"]["99"] > 0
    assert found["reference"]["perplexity"]["value"] > 1
    quiet = run("eval", bard["Q8_0"], *SHORT, "--quiet")
    assert quiet.out == f"{file['perplexity']['value']:.4f}  {bard['Q8_0']}\n"
    assert quiet.err == ""


def test_wrong_use(run: Run, bard: dict[str, Path]) -> None:
    for share in ("5", "x%", "0", "-1%", "nan"):
        assert run("eval", bard["Q8_0"], "--until", share).code == 2
    assert run("eval").code == 2
    Path("short.txt").write_text("a word or two")
    outcome = run("eval", bard["Q8_0"], "--text", "short.txt")
    assert outcome.code == 3
    assert "short.txt has" in outcome.err
    assert run("eval", "none.gguf").code == 3


def test_a_picture_is_drawn(run: Run, bard: dict[str, Path]) -> None:
    words = ("eval", bard["Q8_0"], bard["Q2_K"], "--reference", bard["F16"], *SHORT, "--plot", "a.svg", "--quiet")
    assert run(*words).code == 0
    assert "Pareto front" in Path("a.svg").read_text()
    again = run(*words)
    assert again.code == 1
    assert "a.svg exists already" in again.err
    assert run(*words, "--force").code == 0
