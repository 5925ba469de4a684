"""The written files in the real runtime: llama.cpp, from the wheel xllamacpp."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import xllamacpp

from ggufpress import quantize
from ggufpress.presets import PRESETS
from tests.tiny.families import FAMILY_CASES
from tests.tiny.hybrids import RUNNABLE
from tests.tiny_checkpoints import BARD, BY_NAME, make

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


def test_state_space_recurrent_and_hybrid_models_load_and_decode(tmp_path: Path) -> None:
    files = [
        quantize(make(FAMILY_CASES[name], tmp_path / "source"), ["Q8_0"], output=tmp_path).files[0].path
        for name in RUNNABLE
    ]
    command = [sys.executable, str(Path(__file__).parent / "decode_files.py"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    decoded = [line.removeprefix("decoded ") for line in done.stdout.decode(errors="replace").splitlines()]
    assert [line for line in decoded if line in map(str, files)] == [str(path) for path in files]
