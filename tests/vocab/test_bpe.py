from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.bpe import read_bpe
from ggufpress.vocab.token_table import TokenType
from ggufpress.vocab.tokenizer_files import TokenizerFiles

MakeFolder = Callable[..., Checkpoint]
ReadJson = Callable[[str], dict[str, Any]]
GPT2 = {"tokenizer_class": "GPT2Tokenizer"}


def test_padding_fills_every_hole(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    stated = tokenizer_json("gpt-2")
    files = TokenizerFiles(folder({"tokenizer.json": stated, "tokenizer_config.json": GPT2}))
    table, pre, notes = read_bpe(files, 50304)
    known = stated["model"]["vocab"]
    assert pre.name == "gpt-2"
    assert all(table.tokens[i] == token for token, i in known.items())
    assert [i for i, kind in enumerate(table.types) if kind != TokenType.UNUSED] == sorted(known.values())
    assert table.tokens[50303] == "[PAD50303]"
    assert notes[-1] == f"{50304 - len(known)} unused tokens pad the vocabulary to 50304"


def test_without_a_size_the_vocabulary_must_be_dense(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    files = TokenizerFiles(folder({"tokenizer.json": tokenizer_json("gpt-2"), "tokenizer_config.json": GPT2}))
    with pytest.raises(
        TokenizerError, match=r"tokenizer\.json gives '<\|endoftext\|>' the id 50256, but the model has 392"
    ):
        read_bpe(files, None)


def test_token_outside_of_the_model(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    files = TokenizerFiles(folder({"tokenizer.json": tokenizer_json("gpt-2"), "tokenizer_config.json": GPT2}))
    with pytest.raises(TokenizerError, match="the id 50256, but the model has 50256 tokens") as caught:
        read_bpe(files, 50256)
    assert caught.value.hint


def test_unknown_pretokenizer(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    stated = tokenizer_json("gpt-2-dense") | {"normalizer": {"type": "Lowercase"}}
    files = TokenizerFiles(folder({"tokenizer.json": stated, "tokenizer_config.json": GPT2}))
    with pytest.raises(
        TokenizerError,
        match=r"fingerprint [0-9a-f]{64}, normalizer \{\"type\": \"Lowercase\"\}, pre_tokenizer \{\"type",
    ):
        read_bpe(files, 512)


def test_unknown_vocabulary_with_known_rules(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    files = TokenizerFiles(folder({"tokenizer.json": tokenizer_json("gpt-2-dense"), "tokenizer_config.json": GPT2}))
    _, pre, notes = read_bpe(files, 512)
    assert (pre.name, pre.known) == ("gpt-2", False)
    assert pre.how in notes


def test_empty_vocabulary(folder: MakeFolder) -> None:
    empty = {"model": {"type": "BPE", "vocab": {}, "merges": []}, "added_tokens": []}
    files = TokenizerFiles(folder({"tokenizer.json": empty, "tokenizer_config.json": {"tokenizer_class": "X"}}))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json has an empty vocabulary"):
        read_bpe(files, 10)


def test_silly_size(folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    files = TokenizerFiles(folder({"tokenizer.json": tokenizer_json("gpt-2"), "tokenizer_config.json": GPT2}))
    with pytest.raises(TokenizerError, match=r"config\.json: vocab_size gives a vocabulary of 1099511627776 tokens"):
        read_bpe(files, 1 << 40)
