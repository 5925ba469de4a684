from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import read_vocab
from ggufpress.vocab.added_tokens import TokenSettings
from ggufpress.vocab.merges_files import tokenizer_of_merges_files
from ggufpress.vocab.tokenizer_files import TokenizerFiles

MakeFolder = Callable[..., Checkpoint]
ReadJson = Callable[[str], dict[str, Any]]

VOCAB = {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġa": 4}
NO_SETTINGS = TokenSettings({}, {})
MERGES = "#version: 0.2\na b\nĠ a\n"


def split_files(stated: dict[str, Any]) -> dict[str, Any]:
    merges = "\n".join(stated["model"]["merges"])
    return {"vocab.json": stated["model"]["vocab"], "merges.txt": f"#version: 0.2\n{merges}\n"}


@pytest.mark.parametrize(("name", "tokenizer_class"), [("gpt-2", "GPT2Tokenizer"), ("qwen2", "Qwen2Tokenizer")])
def test_equals_tokenizer_json(name: str, tokenizer_class: str, folder: MakeFolder, tokenizer_json: ReadJson) -> None:
    stated = tokenizer_json(name)
    config = {"tokenizer_class": tokenizer_class, "eos_token": "<|endoftext|>"}
    split = read_vocab(folder({**split_files(stated), "tokenizer_config.json": config}), n_vocab=152000)
    whole = read_vocab(folder({"tokenizer.json": stated}), n_vocab=152000)
    tokens = "tokenizer.ggml.tokens"
    assert dict(split.metadata)["tokenizer.ggml.pre"].data == name
    assert dict(split.metadata)["tokenizer.ggml.merges"] == dict(whole.metadata)["tokenizer.ggml.merges"]
    assert dict(split.metadata)[tokens] == dict(whole.metadata)[tokens]
    assert "tokenizer made of vocab.json and merges.txt" in split.notes


def test_first_line_is_the_version(folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({"vocab.json": VOCAB, "merges.txt": "a b\nĠ a\n"}))
    assert tokenizer_of_merges_files(files, "gpt2", NO_SETTINGS).encode("ab").ids == [0, 1]
    assert tokenizer_of_merges_files(files, "qwen2", NO_SETTINGS).encode("ab").ids == [2]


def test_prefix_space_and_bos(folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({"vocab.json": VOCAB, "merges.txt": MERGES}))
    assert tokenizer_of_merges_files(files, "gpt2", TokenSettings({"add_prefix_space": True}, {})).encode("a").ids == [
        4
    ]
    assert tokenizer_of_merges_files(
        files, "gpt2", TokenSettings({"add_bos_token": True, "bos_token": "b"}, {})
    ).encode("a").ids == [1, 0]


@pytest.mark.parametrize(
    ("vocab", "merges", "message"),
    [
        ({"a": -1}, MERGES, r"vocab\.json: 'a' is -1, which is no token id"),
        ({"a": "0"}, MERGES, r"vocab\.json: 'a' must be a token id, not a string"),
        ("{", MERGES, r"vocab\.json is not JSON"),
        (VOCAB, "#version\na b c\n", r"merges\.txt has the line 'a b c', which is no pair of tokens"),
        (VOCAB, "#version\na z\n", r"merges\.txt and vocab\.json do not fit"),
        (VOCAB, b"\xff\n", r"merges\.txt is not UTF-8"),
    ],
)
def test_broken_files(vocab: Any, merges: Any, message: str, folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({"vocab.json": vocab, "merges.txt": merges}))
    with pytest.raises(TokenizerError, match=message):
        tokenizer_of_merges_files(files, "gpt2", NO_SETTINGS)


def test_bos_with_a_space(folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({"vocab.json": VOCAB, "merges.txt": MERGES}))
    with pytest.raises(TokenizerError, match="bos_token 'a b' cannot be added"):
        tokenizer_of_merges_files(files, "gpt2", TokenSettings({"add_bos_token": True, "bos_token": "a b"}, {}))
