from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress import quantize
from ggufpress.errors import LlamaError
from ggufpress.gguf.reader import read_gguf
from ggufpress.llama.speak import speak
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import make

# as tests/test_runtime.py has it of a file of llama-quantize's
SAID = "If he be a man, I'll be a man,\nAnd I'll be a man'"


def test_the_likeliest_tokens_follow(bard: dict[str, Path]) -> None:
    heard: list[str] = []
    spoken = speak(bard["Q4_K_M"], "ROMEO:\n", n_tokens=24, raw=True, n_threads=1, say=heard.append)
    assert spoken.text == "".join(heard) == SAID
    assert (spoken.n_tokens, spoken.ended, spoken.made_by) == (24, False, "plain text")
    assert spoken.speed > 0
    assert spoken.to_json()["text"] == SAID


def test_the_template_is_applied(bard: dict[str, Path]) -> None:
    spoken = speak(bard["Q8_0"], "Who art thou?", n_tokens=2, n_threads=1)
    assert spoken.made_by == "chat template"
    assert spoken.prompt == "<|user|>\nWho art thou?</s>\n<|assistant|>\n"


@pytest.mark.parametrize(("case", "n_embd"), [("bert-pooled", 32), ("t5-gated", None), ("t5-encoder-alone", 32)])
def test_encoders_give_an_embedding_and_encoder_decoders_speak(case: str, n_embd: int | None, tmp_path: Path) -> None:
    (file,) = quantize(make(FAMILY_CASES[case], tmp_path / "source"), ["Q8_0"], output=tmp_path).files
    spoken = speak(file.path, "a", n_tokens=3, n_threads=1)
    assert (spoken.n_embd is None) == (n_embd is None)
    assert (spoken.n_tokens > 0 or spoken.ended) if n_embd is None else spoken.n_tokens == 0


def test_numbers_that_are_none_are_an_error(bard: dict[str, Path], tmp_path: Path) -> None:
    norm = next(tensor for tensor in read_gguf(bard["Q8_0"]).tensors if tensor.name == "output_norm.weight")
    data = bytearray(bard["Q8_0"].read_bytes())
    data[norm.offset : norm.offset + norm.nbytes] = np.full(norm.n_params, np.nan, np.float32).tobytes()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(data)
    with pytest.raises(LlamaError, match="computes what is no number"):
        speak(broken, "a", raw=True, n_threads=1)
