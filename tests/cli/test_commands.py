"""The command line as a person and as a program meet it: what goes where, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ggufpress.amounts import human_bytes, human_count
from ggufpress.cli.main import COMMANDS, main
from tests.tiny_checkpoints import BARD, BY_NAME, make


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(BY_NAME["odd-40-wide"], tmp_path_factory.mktemp("source"))


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Call the command line in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(int(caught.value.code or 0), captured.out, captured.err)

    return call


def test_quantize_prints_a_table_and_says_what_it_does(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("quantize", BARD, "-q", "Q8_0", "-q", "q4_k_m")
    assert done.code == 0
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["bard-4m-Q4_K_M.gguf", "bard-4m-Q8_0.gguf"]
    assert all(file in done.out for file in files)
    assert "sha256" in done.out
    assert "LlamaForCausalLM" in done.err
    assert "verified and done" in done.err


def test_quiet_prints_paths_and_json_everything(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    quiet = run("quantize", BARD, "-q", "Q8_0", "-o", "a.gguf", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "a.gguf\n", "")
    found = json.loads(run("quantize", BARD, "-q", "Q8_0", "-o", "b.gguf", "--json", "--manifest").out)
    assert found["files"][0]["path"] == "b.gguf"
    assert (
        json.loads(Path(found["files"][0]["manifest"]).read_text())["output"]["sha256"] == found["files"][0]["sha256"]
    )
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_plan_shows_tensors_fallbacks_and_what_the_model_weighs(run, tiny: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("plan", tiny, "-q", "Q8_0")
    assert done.code == 0
    assert "blk.0.attn_q.weight" in done.out
    assert "rope-permute(2 heads)" in done.out
    assert "BF16 -> F16" in done.out
    assert "fallback: token_embd.weight gets F16: Q8_0 does not fit: rows of 40 are no multiple of 32" in done.out
    assert "What this model weighs" in done.out
    assert list(tmp_path.iterdir()) == []


def test_plan_as_json_agrees_with_the_file(run) -> None:  # type: ignore[no-untyped-def]
    planned = json.loads(run("plan", BARD, "-q", "Q4_K_M", "--json").out)
    written = json.loads(run("quantize", BARD, "-q", "Q4_K_M", "--json").out)
    inspected = json.loads(run("inspect", "bard-4m-Q4_K_M.gguf", "--json").out)
    output = planned["outputs"][0]
    assert output["file_bytes"] == written["files"][0]["bytes"] == inspected["file_bytes"]
    assert planned["disk_bytes"] == output["file_bytes"]
    assert [(t["name"], t["type"], t["bytes"], t["offset"] + output["header_bytes"]) for t in output["tensors"]] == [
        (t["name"], t["type"], t["bytes"], t["offset"]) for t in inspected["tensors"]
    ]
    four_bit = next(item for item in planned["footprints"] if item["type"] == "Q4_K_M")
    assert four_bit["file_bytes"] == pytest.approx(output["file_bytes"], abs=32 * 40)
    assert four_bit["memory_bytes"] > four_bit["file_bytes"]


def test_inspect_shows_metadata_tensors_and_types(run) -> None:  # type: ignore[no-untyped-def]
    run("quantize", BARD, "-q", "Q4_K_M", "--quiet")
    done = run("inspect", "bard-4m-Q4_K_M.gguf")
    assert done.code == 0
    for part in (
        "general.architecture",
        "tokenizer.ggml.tokens",
        "2,048 in all",
        "blk.3.ffn_down.weight",
        "Q6_K",
        "bits per weight",
    ):
        assert part in done.out


def test_verify_tells_a_sound_file_from_a_damaged_one(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("quantize", BARD, "-q", "Q4_K_M", "-o", "a.gguf", "--quiet")
    sound = run("verify", "a.gguf", "--against", BARD)
    assert sound.code == 0
    assert "ok: 39 tensors" in sound.err
    assert sound.out.index("RMSE") < sound.out.index("output_norm.weight")
    data = bytearray((tmp_path / "a.gguf").read_bytes())
    data[-3000:-2000] = bytes(1000)
    (tmp_path / "a.gguf").write_bytes(data)
    assert run("verify", "a.gguf").code == 0
    damaged = run("verify", "a.gguf", "--against", BARD, "--json")
    assert damaged.code == 1
    found = json.loads(damaged.out)
    assert not found["ok"]
    assert not found["against"]["tensors"][0]["ok"]


def test_types_come_from_the_tables(run) -> None:  # type: ignore[no-untyped-def]
    done = run("types")
    assert done.code == 0
    assert "Q4_K_M" in done.out
    assert "IQ2_XXS" in done.out
    assert len(json.loads(run("types", "--json").out)["presets"]) == len(run("types", "--quiet").out.split())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["quantize"], 2, "Missing argument 'SOURCE'"),
        (["quantize", BARD, "-q", "Q9"], 2, "no preset is called 'Q9'"),
        (["quantize", BARD, "-q", "Q8_0", "-q", "q8_0"], 2, "asked for twice"),
        (["quantize", BARD, "-q", "Q8_0", "-q", "F16", "-o", "x.gguf"], 2, "is one file, but 2 types"),
        (["quantize", BARD, "--layout", "convert"], 2, "converter does not write Q4_K_M"),
        (["quantize", BARD, "--pre", "llama-bpe"], 2, "--pre llama-bpe is for byte-level BPE"),
        (["quantize", BARD, "--threads", "0"], 2, "--threads"),
        (["quantize", BARD, "--memory", "lots"], 2, "is no size"),
        (["quantize", BARD, "--memory", "9" * 5000], 2, "is no size"),
        (["quantize", BARD, "--memory", "1K"], 3, "rows that need buffers"),
        (["frobnicate"], 2, "No such command"),
        (["plan", "nowhere"], 3, "'nowhere' does not exist"),
        (["plan", "https://example.com/org/name"], 2, "is not on the Hub"),
        (["inspect", "nowhere.gguf"], 3, "nowhere.gguf is missing"),
        (["verify", BARD / "config.json"], 3, "config.json"),
        (["quantize", BARD, "-o", "/proc/nowhere/x.gguf"], 1, "cannot be made"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(run, arguments: list[object], code: int, message: str) -> None:  # type: ignore[no-untyped-def]
    done = run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_an_error_comes_with_a_hint(run) -> None:  # type: ignore[no-untyped-def]
    Path("a.gguf").write_bytes(b"mine")
    done = run("quantize", BARD, "-q", "Q8_0", "-o", "a.gguf")
    assert done.code == 1
    assert done.err.endswith("error: a.gguf exists already\n\nhint: --force replaces it\n")


def test_names_with_control_characters_do_not_reach_the_terminal(run) -> None:  # type: ignore[no-untyped-def]
    assert r"\x1b[2J" in run("inspect", "\x1b[2J.gguf").err


HELP = """
import sys
from ggufpress.cli.main import main
try:
    main(["--help"])
except SystemExit:
    print("numpy" in sys.modules)
"""


def test_help_and_version_are_quick_and_load_no_numpy() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
    assert all(name in done.stdout for name in COMMANDS)


def test_a_reader_that_goes_away_is_no_error(tiny: Path) -> None:
    command = f"{sys.executable} -m ggufpress plan {tiny} --json | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "{\n"
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", ["types", "types --json", "types --quiet"])
def test_a_reader_that_is_gone_before_the_first_line_is_no_error(arguments: str) -> None:
    command = f"{sys.executable} -m ggufpress {arguments} | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", ["types", "types --json", "types --quiet"])
def test_standard_output_on_a_full_disk_is_no_traceback(arguments: str) -> None:
    command = f"{sys.executable} -m ggufpress {arguments} > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "error: standard output: no space left on device\n")


def test_an_unknown_instruction_set_is_no_traceback(tiny: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ggufpress", "quantize", str(tiny), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        command, env={**os.environ, "GGUFPRESS_ISA": "mmx"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "mmx" in done.stderr
    assert "scalar" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_sizes_for_people() -> None:
    assert [human_bytes(n) for n in (0, 999, 1000, 12_345, 123_456_789, 1.5e12, 999_600)] == [
        "0 B", "999 B", "1.00 kB", "12.3 kB", "123 MB", "1.50 TB", "1.00 MB",
    ]  # fmt: skip
    assert [human_count(n) for n in (12, 4_200_000, 1.1e9)] == ["12", "4.2 M", "1.1 B"]
