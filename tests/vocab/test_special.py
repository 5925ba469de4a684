"""Corners of special tokens; the recorded cases in test_read.py compare the usual paths with the reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Value, ValueType, array, flag, u32
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.special import read_merges, special_metadata
from ggufpress.vocab.tokenizer_files import TokenizerFiles

MakeFolder = Callable[..., Checkpoint]

ADDED = [{"id": 3, "content": "<e>"}, {"id": 4, "content": "<e>"}, {"id": 9, "content": "<p>"}]


def read(checkpoint: Checkpoint, **options: Any) -> dict[str, Value]:
    return special_metadata(TokenizerFiles(checkpoint), **options)


def test_first_id_holds_and_config_fills_in(folder: MakeFolder) -> None:
    files = {
        "tokenizer.json": {"added_tokens": ADDED},
        "tokenizer_config.json": {"pad_token": "<p>", "eos_token": {"content": "<e>"}, "unk_token": 5},
        "config.json": {"eos_token_id": 7, "bos_token_id": [1, 2], "unk_token_id": 8},
    }
    assert list(read(folder(files)).items()) == [
        ("tokenizer.ggml.eos_token_id", u32(3)),
        ("tokenizer.ggml.padding_token_id", u32(9)),
        ("tokenizer.ggml.unknown_token_id", u32(8)),
    ]


def test_ids_out_of_range_are_left_out(folder: MakeFolder) -> None:
    files = {
        "tokenizer.json": {"added_tokens": ADDED},
        "tokenizer_config.json": {"pad_token": "<p>"},
        "config.json": {"pad_token_id": 2, "eos_token_id": 9},
    }
    assert read(folder(files), n_vocab=9) == {"tokenizer.ggml.padding_token_id": u32(2)}


def test_text_config_is_a_second_place(folder: MakeFolder) -> None:
    files = {"config.json": {"bos_token_id": 1, "text_config": {"bos_token_id": 5, "eos_token_id": 6}}}
    assert read(folder(files)) == {"tokenizer.ggml.bos_token_id": u32(1), "tokenizer.ggml.eos_token_id": u32(6)}


def test_fixed_ids_give_way(folder: MakeFolder) -> None:
    fixed = {"prefix": 1, "eot": 2, "eos": 3}
    found = read(folder({"config.json": {"eot_token_id": 5}}), token_types=("prefix", "eot"), fixed_ids=fixed)
    assert found == {"tokenizer.ggml.eot_token_id": u32(5), "tokenizer.ggml.eos_token_id": u32(3)}


@pytest.mark.parametrize("key", ["bos_token_id", "pad_token_id"])
def test_negative_id(key: str, folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=rf"config\.json: {key} is -1, which is no token id") as caught:
        read(folder({"config.json": {key: -1}}))
    assert caught.value.hint == f"remove the key: a model without this token has no {key}"


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        ({"post_processor": []}, "post_processor must be an object, not a list"),
        ({"post_processor": {"processors": 5}}, "processors must be a list, not a number"),
        ({"post_processor": {"processors": [5]}}, "post_processor must be an object, not a number"),
        ({"post_processor": {"type": "TemplateProcessing", "single": [1, 2]}}, "must be an object, not a number"),
        ({"post_processor": {"type": "TemplateProcessing", "single": {}}}, "single must be a list, not an object"),
        (
            {"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": []}}, {}]}},
            "id must be a string",
        ),
        ({"normalizer": 5}, "normalizer must be an object, not a number"),
        ({"normalizer": {"type": "Sequence", "normalizers": [5]}}, "normalizer must be an object, not a number"),
        ({"normalizer": {"type": "Sequence", "normalizers": 5}}, "normalizers must be a list, not a number"),
        ({"model": 5}, "model must be an object, not a number"),
        ({"added_tokens": {"a": 1}}, "added_tokens must be a list, not an object"),
        ({"added_tokens": ["a"]}, r"added_tokens\[0\] must be an object, not a string"),
        ({"added_tokens": [{"id": -5, "content": "<e>"}]}, "the id of '<e>' is -5"),
    ],
)
def test_broken_tokenizer(tokenizer: Any, message: str, folder: MakeFolder) -> None:
    files = {"tokenizer.json": tokenizer, "tokenizer_config.json": {"eos_token": "<e>"}}
    with pytest.raises(TokenizerError, match=rf"tokenizer\.json.*{message}"):
        read(folder(files), load_merges=True)


def test_add_flags_of_the_config(folder: MakeFolder) -> None:
    config = {"add_bos_token": True, "add_eos_token": "yes", "add_sep_token": False, "add_pad_token": True}
    assert read(folder({"tokenizer_config.json": config})) == {
        "tokenizer.ggml.add_bos_token": flag(True),
        "tokenizer.ggml.add_sep_token": flag(False),
    }


def test_merges_in_both_notations(folder: MakeFolder) -> None:
    stated = TokenizerFiles(folder({"tokenizer.json": {"model": {"merges": ["a b", "c d"]}}}))
    assert read_merges(stated) == ["a b", "c d"]
    stated = TokenizerFiles(folder({"tokenizer.json": {"model": {"merges": [["a", "b "], [" ", "d"], ["\n", "x"]]}}}))
    assert read_merges(stated) == ["a bĠ", "Ġ d", "\n x"]


def test_merges_txt(folder: MakeFolder) -> None:
    lines = "#version: 0.2\r\na b\n\n c  d \nx y z\nlone\n# e\n"
    assert read_merges(TokenizerFiles(folder({"merges.txt": lines}))) == ["a b", "c d", "# e"]
    assert read_merges(TokenizerFiles(folder({"merges.txt": "a b\n"}))) == ["a b"]
    found = read(folder({"merges.txt": "a b\n"}), load_merges=True)
    assert found == {"tokenizer.ggml.merges": array(ValueType.STRING, ["a b"])}


@pytest.mark.parametrize(
    "merges", [[5], ["a b", 5], [["a"]], [["a", "b"], "c d"], [["a", 5]], [["\ud800", "b"]], ["\ud800 b"]]
)
def test_broken_merges(merges: Any, folder: MakeFolder) -> None:
    content = {"tokenizer.json": json.dumps({"model": {"merges": merges}})}
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: model: merges must be strings, or pairs of strings"):
        read_merges(TokenizerFiles(folder(content)))
