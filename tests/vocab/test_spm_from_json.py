from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.spm_from_json import is_spm_json, read_spm_json
from ggufpress.vocab.token_table import TokenType
from ggufpress.vocab.tokenizer_files import TokenizerFiles

MakeFolder = Callable[..., Checkpoint]
ReadJson = Callable[[str], dict[str, Any]]


def test_which_files_are_meant(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    assert is_spm_json(TokenizerFiles(folder({"tokenizer.json": tokenizer_json("llama-fast")})))
    assert not is_spm_json(TokenizerFiles(folder({"tokenizer.json": tokenizer_json("llama-bpe")})))
    assert not is_spm_json(
        TokenizerFiles(folder({"tokenizer.json": {"model": {"type": "BPE", "byte_fallback": True}}}))
    )


def test_rows(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    config: dict[str, Any] = {"tokenizer_class": "LlamaTokenizer", "additional_special_tokens": ["<new>"]}
    config["added_tokens_decoder"] = {"640": {"content": "plain"}, "1": {"content": "<s>", "special": True}}
    files = TokenizerFiles(folder({"tokenizer.json": tokenizer_json("llama-fast"), "tokenizer_config.json": config}))
    table, notes = read_spm_json(files)
    assert list(zip(table.tokens[:4], table.types, strict=False)) == [
        ("<unk>", TokenType.CONTROL),
        ("<s>", TokenType.CONTROL),
        ("</s>", TokenType.CONTROL),
        ("<0x00>", TokenType.BYTE),
    ]
    assert list(zip(table.tokens, table.types, strict=True))[640:] == [
        ("plain", TokenType.USER_DEFINED),
        ("<new>", TokenType.CONTROL),
    ]
    assert set(table.scores or ()) == {-1000.0}
    assert any("no scores" in note for note in notes)


def test_hole(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    stated = tokenizer_json("llama-fast")
    stated["model"]["vocab"]["▁"], hole = 700, stated["model"]["vocab"]["▁"]
    files = TokenizerFiles(folder({"tokenizer.json": stated}))
    with pytest.raises(TokenizerError, match=rf"tokenizer\.json has 640 tokens, but none with the id {hole}"):
        read_spm_json(files)
