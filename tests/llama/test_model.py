from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress.errors import LlamaError
from ggufpress.llama.model import Model


def test_a_model_knows_its_vocabulary(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"], vocab_only=True) as model:
        assert model.n_vocab == 2048
        assert model.vocab_fact("get_add_bos")
        tokens = model.tokenize(b"ROMEO:\n", special=True)
        assert tokens[0] == model.vocab_fact("bos") == 1
        assert model.detokenize(tokens[1:]) == b"ROMEO:\n"
        assert model.token_text(1) == "<s>"
        assert model.token_text(-1) == ""
        assert model.ends(model.vocab_fact("eos"))
        assert "message['role'] == 'user'" in (model.template() or "")


def test_names_of_special_tokens_are_text_or_tokens(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"], vocab_only=True) as model:
        assert 2 in model.tokenize(b"a</s>", special=True)
        assert 2 not in model.tokenize(b"a</s>", special=False)


def test_text_comes_back_from_many_tokens(bard: dict[str, Path]) -> None:
    text = "x" * 5000 + "é" * 300
    with Model(bard["Q8_0"], vocab_only=True) as model:
        tokens = model.tokenize(text.encode(), special=False, add_special=False)
        assert model.detokenize(tokens).decode().strip() == text
        assert model.detokenize(np.empty(0, np.int32)) == b""


def test_facts(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"]) as model:
        assert model.fact("has_decoder")
        assert not model.fact("has_encoder")
        assert model.fact("n_params") == 4_196_608
        assert "Q8_0" in model.description


def test_a_broken_file_is_an_error_with_the_reason(bard: dict[str, Path], tmp_path: Path) -> None:
    whole = bard["Q8_0"].read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LlamaError, match=r"cut\.gguf does not load in llama\.cpp: .*file bounds"):
        Model(cut)
    with pytest.raises(LlamaError, match="no file"):
        Model(tmp_path / "none.gguf")
