"""The written files in the real runtime: llama.cpp, from the wheel xllamacpp."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import xllamacpp

from ggufpress import quantize
from ggufpress.arch.supported import supported
from ggufpress.recipe.presets import PRESETS
from tests.tiny.families import FAMILY_CASES, UNRECORDED
from tests.tiny.runtime import ENDLESS, REFUSED, RUNS, SLOW, UNRUNNABLE
from tests.tiny_checkpoints import BARD, BY_NAME, make

ROOT = Path(__file__).parent.parent
# a crash of ggml starts a debugger otherwise, for some seconds
ENVIRONMENT = os.environ | {"GGML_NO_BACKTRACE": "1"}
PROMPT = "ROMEO:\n"
# greedy, of files that llama.cpp's own converter and llama-quantize made of the bundled model
REFERENCE = {
    "BF16": "If he be a man, I'll be a man,\nAnd I'll be a man'",
    "Q8_0": "If he be a man, I'll be a man,\nAnd I'll be a man'",
    "Q6_K": "If he be a man, I'll be a man,\nAnd I'll be a man,",
    "Q4_K_M": "If he be a man, I'll be a man,\nAnd I'll be a man'",
    "Q4_0": "If he be a man, I'll be a man's name,\nAnd I'll be",
}


def continuation(path: Path, n_predict: int = 24) -> str:
    """What the model in the file says after PROMPT, greedily."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    answer = server.handle_completions({"prompt": PROMPT, "n_predict": n_predict, "temperature": 0, "top_k": 1})
    text: str = answer["choices"][0]["text"]
    return text


@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_the_bundled_model_loads_and_speaks(preset: str, tmp_path: Path) -> None:
    (file,) = quantize(BARD, [preset], output=tmp_path).files
    said = continuation(file.path)
    # 1 and 2 bits leave nothing of a model that was not trained so
    if preset not in ("Q1_0", "Q2_0", "TQ1_0", "TQ2_0"):
        assert len(said.split()) >= 6
    if preset in REFERENCE:
        assert said == REFERENCE[preset]


@pytest.mark.parametrize("case", ["llama3-rope", "mixtral-4", "mistral-sliding", "yarn", "head-dim", "odd-96-wide"])
def test_tiny_models_of_each_kind_load_and_decode(case: str, tmp_path: Path) -> None:
    (file,) = quantize(make(BY_NAME[case], tmp_path / "source"), ["Q8_0"], output=tmp_path).files
    assert isinstance(continuation(file.path, 4), str)


def outcomes(names: list[str], folder: Path) -> dict[str, str]:
    """What became of each case in tests/decode_cases.py, which is started again after a crash."""
    found: dict[str, str] = {}
    while rest := [name for name in names if name not in found]:
        command = [sys.executable, "-m", "tests.decode_cases", str(folder), *rest]
        done = subprocess.run(
            command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=False, timeout=60 + 20 * len(rest)
        )
        lines = [line.split(" ", 2) for line in done.stdout.decode(errors="replace").splitlines()]
        found |= {words[1]: " ".join([words[0], *words[2:]]) for words in lines if words[0] in ("ran", "refused")}
        begun = [words[1] for words in lines if words[0] == "trying"]
        assert begun, done.stderr.decode(errors="replace")
        found.setdefault(begun[-1], f"crashed with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
        shutil.rmtree(folder, ignore_errors=True)
    return found


def outcomes_of(names: list[str], folder: Path) -> dict[str, str]:
    """The same in two processes at a time."""
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(outcomes, [names[::2], names[1::2]], [folder / "even", folder / "odd"])
        return {name: outcome for half in halves for name, outcome in half.items()}


def test_llama_cpp_runs_a_file_of_every_architecture(tmp_path: Path) -> None:
    found = outcomes_of(list(RUNS.values()), tmp_path)
    assert found == {name: f"ran {arch}" for arch, name in RUNS.items()}


@pytest.mark.full
def test_llama_cpp_runs_all_tiny_cases_whose_shapes_it_takes(tmp_path: Path) -> None:
    names = [name for name in BY_NAME | FAMILY_CASES | UNRECORDED if name not in ENDLESS]
    found = outcomes_of(names, tmp_path)
    refused = {name: outcome for name, outcome in found.items() if not outcome.startswith("ran ")}
    assert {name: outcome for name, outcome in refused.items() if name not in REFUSED} == {}
    assert {name: refused.get(name, "ran") for name, why in REFUSED.items() if why not in refused.get(name, "")} == {}


def test_no_architecture_is_forgotten() -> None:
    known = {arch for row in supported() for arch in row.architectures}
    assert known == RUNS.keys() | SLOW.keys() | UNRUNNABLE.keys()
