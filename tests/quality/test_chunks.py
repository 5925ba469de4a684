from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.errors import InputError
from ggufpress.llama.model import Model
from ggufpress.quality.chunks import cut, read_text


def test_chunks_are_full_and_begin_with_bos_when_read(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"], vocab_only=True) as model:
        chunks = cut(model, b"To be, or not to be. " * 40, 64, "words")
        tokens = model.tokenize(b"To be, or not to be. " * 40, special=False)
    assert (chunks.n_ctx, chunks.bos) == (64, 1)
    assert chunks.n_chunks == len(tokens) // 64
    assert chunks.tokens.reshape(-1).tolist() == tokens[: chunks.n_chunks * 64].tolist()
    read = chunks.read(1, 1)
    assert read[0, 0] == 1
    assert read[0, 1:].tolist() == tokens[65:128].tolist()
    assert chunks.tokens[1, 0] == tokens[64]
    assert chunks.first(2).n_chunks == 2
    assert chunks.first(None) is chunks


def test_a_short_text_is_an_error(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"], vocab_only=True) as model, pytest.raises(InputError, match="words has 6 tokens") as caught:
        cut(model, b"To be, or not", 64, "words")
    assert "--ctx" in (caught.value.hint or "")


def test_one_line_end_is_dropped_as_the_reference_does(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"a\n\n")
    assert read_text(tmp_path / "text") == b"a\n"
    with pytest.raises(InputError, match="cannot be read"):
        read_text(tmp_path)
