"""Our files in llama-cpp-python, and its library in the place of xllamacpp's: make test-llama-cpp-python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from ggufpress.llama.library import library
from ggufpress.llama.speak import speak
from ggufpress.quality.chunks import read_text
from ggufpress.quality.measure import measure
from ggufpress.recipe.presets import PRESETS
from ggufpress.texts import VALID
from tests.tiny_checkpoints import BARD

pytestmark = pytest.mark.llama_cpp_python
PROMPT = "ROMEO:\n"
# greedy, of files that llama-quantize made
REFERENCE = {
    "BF16": "If he be a man, I'll be a man,\nAnd I'll be a man'",
    "Q4_K_M": "If he be a man, I'll be a man,\nAnd I'll be a man'",
    "Q4_0": "If he be a man, I'll be a man's name,\nAnd I'll be",
}


@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_llama_cpp_python_loads_the_bundled_model_and_speaks(preset: str, tmp_path: Path) -> None:
    import llama_cpp

    (file,) = quantize(BARD, [preset], output=tmp_path).files
    model: Any = llama_cpp.Llama(str(file.path), n_ctx=256, n_threads=1, verbose=False)
    said = model.create_completion(PROMPT, max_tokens=24, temperature=0)["choices"][0]["text"]
    model.close()
    spoken = speak(file.path, PROMPT, n_tokens=24, raw=True, n_threads=1)
    assert spoken.n_tokens == 24
    if preset in REFERENCE:
        assert said == spoken.text == REFERENCE[preset]
    # 1 and 2 bits leave nothing of a model that was not trained so
    elif preset not in ("Q1_0", "Q2_0", "TQ1_0", "TQ2_0"):
        assert len(said.split()) >= 6


def test_its_library_is_what_was_found_and_measures_as_llama_perplexity_does(bard: dict[str, Path]) -> None:
    assert library().origin == "llama_cpp"
    found = measure(
        [bard["Q4_K_M"]], read_text(VALID), "valid.txt", reference=bard["F16"], n_chunks=6, n_threads=1
    ).files[0]
    assert found.divergence is not None
    # as tests/data/quality/perplexity.txt has it, of a build for another processor
    assert found.ppl.value == pytest.approx(78.587636, rel=2e-3)
    assert found.divergence.kld.value == pytest.approx(0.005244, rel=0.05)
