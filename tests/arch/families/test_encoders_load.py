"""llama.cpp finds in the written files every tensor that it wants, in the shape that it wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress import quantize
from tests.tiny.encoders import CASES
from tests.tiny_checkpoints import TinyCase, make
from tests.vocab.llama_cpp import loaded

NOT_FOR_LLAMA_CPP = {
    "bert-dummy-labels": "two outputs without labels: cls.weight must be square",
    "modern-bert-few-keys": "it has no biases",
}
"""Cases that exist for the bytes alone: the reference's files do not load either."""


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name not in NOT_FOR_LLAMA_CPP], ids=lambda case: case.name
)
def test_the_file_loads(case: TinyCase, tmp_path: Path) -> None:
    (file,) = quantize(make(case, tmp_path / "source"), ["Q8_0"], output=tmp_path, threads=1).files
    with loaded(file.path, vocab_only=False) as vocab:
        assert vocab.encode("a text") != []
