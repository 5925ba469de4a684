"""Importance matrices, recipes and rules on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ggufpress.cli.main import main
from ggufpress.recipe.file import read_recipe
from tests.imatrix.files import Sums, gguf_bytes
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD, BY_NAME, make


@pytest.fixture(scope="module")
def moe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(BY_NAME["mixtral-4"], tmp_path_factory.mktemp("source"))


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Call the command line in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return call


def test_imatrix_show_tells_coverage_energy_and_statistics(run: Run, moe: Path) -> None:
    Path("a.gguf").write_bytes(matrix_bytes("gguf", entries(moe)))
    code, out, err = run("imatrix", "show", "a.gguf")
    assert (code, err) == (0, "")
    line = next(line for line in out.splitlines() if line.startswith("blk.0.ffn_down_exps.weight"))
    assert line.split()[:4] == ["blk.0.ffn_down_exps.weight", "1024", "3/4", "0-2872"]
    assert "7 chunks of 512 tokens, calibration.txt" in out
    assert "2 experts in 2 tensors were never chosen" in out
    found = json.loads(run("imatrix", "show", "a.gguf", "--json")[1])
    assert (found["format"], found["chunks"], found["datasets"]) == ("gguf", 7, ["calibration.txt"])
    assert (
        found["entries"][0]["name"]
        == run("imatrix", "show", "a.gguf", "--quiet")[1].split()[0]
        == "blk.0.attn_k.weight"
    )


def test_imatrix_show_tells_what_is_not_finite(run: Run) -> None:
    bad = Sums(np.array([[1, np.nan]], np.float32), np.array([1], np.float32))
    Path("a.gguf").write_bytes(gguf_bytes({"blk.0.attn_q.weight": bad}))
    code, _, err = run("imatrix", "show", "a.gguf")
    assert code == 0
    assert "not finite: blk.0.attn_q.weight" in err
    code, _, err = run("plan", BARD, "--imatrix", "a.gguf")
    assert code == 3
    assert "a.gguf has entries with weights that are no finite numbers: blk.0.attn_q.weight at 1" in err


def test_why_tells_every_rule_in_order(run: Run) -> None:
    code, out, _ = run("plan", BARD, "-q", "Q4_K_M", "--tensor-type", "ffn_down=q8_0", "--why", "blk.2.attn_v.weight")
    assert code == 0
    assert out.startswith("blk.2.attn_v.weight in Q4_K_M: 128 x 256, BF16 -> Q6_K")
    rules = [
        "may change",
        "--token-embedding-type",
        "--output-tensor-type",
        "--tensor-type",
        "the mix of Q4_K_M",
        "shape",
    ]
    places = [out.index(rule) for rule in rules]
    assert places == sorted(places)
    words = ["plan", BARD, "-q", "Q8_0", "-q", "Q2_K", "--why", "token_embd.weight", "--why", "output.weight", "--json"]
    found = json.loads(run(*words)[1])
    assert [(item["preset"], item["type"]) for item in found] == [
        ("Q8_0", "Q8_0"), ("Q2_K", "Q2_K"), ("Q8_0", "Q8_0"), ("Q2_K", "Q6_K"),
    ]  # fmt: skip
    assert found[0]["steps"] == [{"rule": "the converter", "answer": "outtype Q8_0"}]
    code, _, err = run("plan", BARD, "--why", "blk.2.attn_w.weight")
    assert code == 2
    assert "near to it: blk.2.attn" in err


def test_a_recipe_is_shown_kept_and_used(run: Run) -> None:
    code, out, _ = run("recipe", "show", BARD, "-q", "Q3_K_M", "--tensor-type", "attn_q=q8_0")
    assert code == 0
    assert out.startswith("# Q3_K_M for bard-4m: ")
    Path("mine.toml").write_text(out)
    run("quantize", BARD, "--recipe", "mine.toml", "-o", "a.gguf", "--quiet")
    run("quantize", BARD, "-q", "q3_k", "--tensor-type", "attn_q=q8_0", "-o", "b.gguf", "--quiet")
    assert Path("a.gguf").read_bytes() == Path("b.gguf").read_bytes()
    code, cloned, _ = run("recipe", "clone", "b.gguf")
    assert code == 0
    Path("cloned.toml").write_text(cloned)
    run("quantize", BARD, "--recipe", "cloned.toml", "-o", "c.gguf", "--quiet")
    assert Path("c.gguf").read_bytes() == Path("b.gguf").read_bytes()
    found = json.loads(run("recipe", "clone", "b.gguf", "--json")[1])
    assert found["preset"] == "Q3_K_M"
    # a GGUF file is a source too
    assert run("recipe", "show", "b.gguf", "-q", "Q6_K")[0] == 0


def test_recipe_show_without_a_source_says_what_the_options_say(run: Run) -> None:
    words = [
        "recipe",
        "show",
        "-q",
        "iq2_m",
        "--pure",
        "--no-fallback",
        "--exclude-weights",
        "attn_k",
        "--on-missing",
        "upgrade",
    ]
    code, out, _ = run(*words)
    assert code == 0
    Path("a.toml").write_text(out)
    recipe = read_recipe(Path("a.toml"))
    assert (recipe.preset.name, recipe.pure, recipe.no_fallback) == ("IQ2_M", True, True)
    assert (recipe.exclude, recipe.on_missing) == (("attn_k",), "upgrade")


def test_types_from_a_file(run: Run) -> None:
    Path("types.txt").write_text("attn=q6_k\nffn_up=q5_k ffn_down=q5_0")
    found = json.loads(run("plan", BARD, "--tensor-type-file", "types.txt", "--json")[1])
    types = {tensor["name"]: tensor["type"] for tensor in found["outputs"][0]["tensors"]}
    assert [types[f"blk.1.{part}.weight"] for part in ("attn_k", "ffn_up", "ffn_down", "ffn_gate")] == [
        "Q6_K", "Q5_K", "Q5_0", "Q4_K",
    ]  # fmt: skip


def test_upgrades_are_told(run: Run) -> None:
    code, out, err = run("plan", BARD, "-q", "IQ2_XXS", "--on-missing", "upgrade")
    assert code == 0
    assert "upgrade: 24 tensors get Q2_K instead of IQ2_XXS, which needs importance" in out
    code, _, err = run("quantize", BARD, "-q", "IQ2_XXS", "--on-missing", "upgrade")
    assert code == 0
    assert "note: IQ2_XXS: 24 tensors get Q2_K instead of IQ2_XXS" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-q", "IQ1_S"], 3, "IQ1_S: an importance matrix is needed for"),
        (["--imatrix", "none.dat"], 3, "none.dat is missing"),
        (["--imatrix-name", "x"], 2, "but no matrix"),
        (["--tensor-type", "ffn_down"], 2, "is not REGEX=TYPE"),
        (["--tensor-type", "(=q8_0"], 2, "the pattern '(' is wrong at character"),
        (["--tensor-type", "zzz=q8_0"], 2, "the rule zzz=Q8_0 matches no tensor of this model"),
        (["--tensor-type", "ffn=nvfp4"], 2, "NVFP4 is no type that a weight can be given"),
        (["-q", "F16", "--tensor-type", "ffn=q8_0"], 2, "no effect in F16 files"),
        (["--recipe", "none.toml"], 3, "none.toml is missing"),
        (["--token-embedding-type", "q9"], 2, "no tensor type is called 'q9'"),
        (["--include-weights", "a", "--exclude-weights", "b"], 2, "not both"),
        (["--layout", "convert", "-q", "Q8_0", "--pure"], 2, "knows no rules for tensors"),
        (["--on-missing", "guess"], 2, "'guess' is not one of"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(run: Run, words: list[str], code: int, message: str) -> None:
    found, out, err = run("plan", BARD, *words)
    assert (found, out) == (code, "")
    assert message in err
