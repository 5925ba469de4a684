"""Checked once against mistral-common 1.8 with gguf-py's MistralVocab: the keys and their bytes were equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import ValueType
from ggufpress.vocab.tekken import FIRST_SPECIAL, read_tekken
from ggufpress.vocab.tokenizer_files import TokenizerFiles
from tests.vocab.conftest import MakeFolder
from tests.vocab.ranks import N_RANKS, N_SPECIAL, tekken

N_VOCAB = N_RANKS + N_SPECIAL
ALL = [{"rank": i, "token_str": name, "is_control": True} for i, name in enumerate(FIRST_SPECIAL)]


def files(folder: MakeFolder, content: Any, **more: Any) -> TokenizerFiles:
    return TokenizerFiles(folder({"tekken.json": content, **more}))


def test_special_tokens_come_first(folder: MakeFolder) -> None:
    out, notes = read_tekken(files(folder, tekken()), N_VOCAB)
    tokens, types = out["tokenizer.ggml.tokens"].data, out["tokenizer.ggml.token_type"].data
    assert isinstance(tokens, tuple)
    assert isinstance(types, tuple)
    assert tokens[:3] == ("<unk>", "<s>", "</s>")
    assert tokens[N_SPECIAL - 1] == f"<SPECIAL_{N_SPECIAL - 1}>"
    assert tokens[N_SPECIAL + 32] == "Ġ"
    assert types == (3,) * N_SPECIAL + (1,) * N_RANKS
    assert out["tokenizer.ggml.scores"].item_type is ValueType.INT32
    assert [out[f"tokenizer.ggml.{name}_token_id"].data for name in ("bos", "eos", "unknown", "padding")] == [
        1,
        2,
        0,
        11,
    ]
    assert out["tokenizer.chat_template"].data == "mistral-v3-tekken"
    assert notes == ("pre-tokenizer tekken: the vocabulary is tekken.json, version v3",)
    assert list(out)[:3] == ["tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.merges"]


def test_a_part_of_the_tokens(folder: MakeFolder) -> None:
    out, _ = read_tekken(files(folder, tekken(default_vocab_size=300)), 300)
    tokens = out["tokenizer.ggml.tokens"].data
    assert isinstance(tokens, tuple)
    assert len(tokens) == 300


def test_later_versions_list_their_special_tokens_and_bring_a_template(folder: MakeFolder) -> None:
    content = tekken(version="v13") | {"special_tokens": ALL}
    out, notes = read_tekken(files(folder, content), N_VOCAB)
    assert "tokenizer.chat_template" not in out
    assert notes[1] == "no chat template: put chat_template.jinja beside tekken.json"
    out, _ = read_tekken(files(folder, content, **{"chat_template.jinja": "{{ x }}"}), N_VOCAB)
    assert out["tokenizer.chat_template"].data == "{{ x }}"


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    content = tekken()
    change(content)
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, r"tekken\.json: config must be an object, not null"),
        (tekken(version=3), "config: version must be a string"),
        (tekken(version="v13"), r"tekken\.json: special_tokens is missing"),
        (tekken(default_vocab_size=-1), "default_vocab_size is -1"),
        (tekken(default_vocab_size=10), "has 24 special tokens of 10 in all"),
        (tekken(default_vocab_size=1 << 30), "default_vocab_size gives a vocabulary of"),
        (tekken(default_vocab_size=N_VOCAB + 1), r"vocab lists 320 tokens, 321 were expected"),
        (tekken(default_num_special_tokens=3, default_vocab_size=303), "lists 20 special tokens, 3 are possible"),
        (tekken() | {"special_tokens": [*ALL, ALL[0]]}, "has a special token twice"),
        (tekken() | {"special_tokens": [{"token_str": "<s>"}]}, "has no special token </s>"),
        (tekken() | {"special_tokens": [{"token_str": None}]}, "token_str must be a string"),
        (tekken() | {"vocab": {}}, "vocab must be a list"),
        (changed(lambda content: content["vocab"][5].update(rank=7)), r"vocab\[5\] has rank 7"),
        (changed(lambda content: content["vocab"][5].update(token_bytes="?")), r"vocab\[5\] is no base64"),
        (changed(lambda content: content["vocab"][5].pop("token_bytes")), "token_bytes must be a string, not null"),
        (changed(lambda content: content["vocab"].__setitem__(5, [])), r"vocab\[5\] must be an object"),
    ],
)
def test_broken_files(content: Any, message: str, folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=message):
        read_tekken(files(folder, content), None)


def test_another_number_of_tokens_than_the_model_has(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"tekken\.json has 344 tokens, but the model has 345"):
        read_tekken(files(folder, tekken()), N_VOCAB + 1)
