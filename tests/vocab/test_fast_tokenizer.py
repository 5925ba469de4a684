"""What AutoTokenizer does beyond the files; the recorded cases in test_read.py compare it with the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.fast_tokenizer import load_fast_tokenizer
from ggufpress.vocab.tokenizer_files import TokenizerFiles

MakeFolder = Callable[..., Checkpoint]
ReadJson = Callable[[str], dict[str, Any]]


@pytest.fixture
def load(folder: MakeFolder, tokenizer_json: ReadJson) -> Callable[..., Any]:
    def with_files(config: Any = None, base: str = "gpt-2-dense", **files: Any) -> Any:
        stated = {} if config is None else {"tokenizer_config.json": config}
        named = {name.replace("__", "."): content for name, content in files.items()}
        return load_fast_tokenizer(TokenizerFiles(folder({"tokenizer.json": tokenizer_json(base), **stated, **named})))

    return with_files


def test_model_type_gives_the_class(load: Callable[..., Any]) -> None:
    assert load(config__json={"model_type": "llama"}).special_tokens == ("<s>", "</s>", "<unk>")
    assert load(config__json={"model_type": "qwen3"}).special_tokens == ("<|endoftext|>",)
    assert load(config__json={"model_type": "never-heard"}).special_tokens == ()
    assert load(config__json={"model_type": "llama", "tokenizer_class": "GPT2Tokenizer"}).special_tokens == (
        "<|endoftext|>",
    )


def test_unknown_class_is_a_plain_one(load: Callable[..., Any]) -> None:
    loaded = load({"tokenizer_class": "TokenizersBackend", "eos_token": "<e>"})
    assert loaded.special_tokens == ("<e>",)
    assert loaded.notes == ("tokenizer_class TokenizersBackend is taken for a plain one",)


def test_extra_special_tokens_in_both_notations(load: Callable[..., Any]) -> None:
    plain = {"tokenizer_class": "PreTrainedTokenizerFast"}
    assert load({**plain, "extra_special_tokens": {"image_token": "<i>"}}).special_tokens == ("<i>",)
    assert load({**plain, "extra_special_tokens": ["<i>"]}).special_tokens == ("<i>",)


def test_bos_is_added_by_the_class(load: Callable[..., Any]) -> None:
    end = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
    for name, adds in (("LlamaTokenizer", 1), ("GPTNeoXTokenizer", 0), ("PreTrainedTokenizerFast", 0)):
        ids = load({"tokenizer_class": name, **end}).encode("a")
        assert len(ids) == 1 + adds
    assert len(load({"tokenizer_class": "LlamaTokenizer", "add_eos_token": True, **end}).encode("a")) == 3


def test_truncation_and_padding_are_off(load: Callable[..., Any], tokenizer_json: ReadJson) -> None:
    stated = tokenizer_json("gpt-2-dense")
    stated["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    assert len(load({"tokenizer_class": "GPT2Tokenizer"}, tokenizer__json=stated).encode("a b c d")) > 2


def test_clean_up(load: Callable[..., Any]) -> None:
    config = {"tokenizer_class": "GPT2Tokenizer", "clean_up_tokenization_spaces": True}
    loaded = load(config)
    assert loaded.decode(loaded.encode("a . b , it 's")) == "a. b, it's"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tokenizer_class": 5}, "tokenizer_class must be a string, not a number"),
        ({"bos_token": 5}, "bos_token must be a string, not a number"),
        ({"bos_token": {"lstrip": True}}, "bos_token: content must be a string, not null"),
        ({"bos_token": {"content": "a", "lstrip": "yes"}}, "bos_token: lstrip must be true or false"),
        ({"additional_special_tokens": "a"}, "additional_special_tokens must be a list, not a string"),
        ({"additional_special_tokens": [5]}, r"additional_special_tokens\[0\] must be a string"),
        ({"added_tokens_decoder": {"a": {"content": "x"}}}, "has the key 'a', which is no token id"),
        ({"added_tokens_decoder": {"1": {"content": "x", "special": None}}}, "special must be true or false, not null"),
        ({"extra_special_tokens": 5}, "extra_special_tokens must be a list, not a number"),
        ({"tokenizer_class": "LlamaTokenizer", "bos_token": None}, "add_bos_token is set, but bos_token is not"),
        ({"tokenizer_class": "LlamaTokenizer", "bos_token": "a b"}, "a b cannot be added to each text"),
    ],
)
def test_broken_config(config: Any, message: str, load: Callable[..., Any]) -> None:
    with pytest.raises(TokenizerError, match=rf"tokenizer_config\.json.*{message}"):
        load(config)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "is not a tokenizer"),
        ({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}, "is not a tokenizer"),
        ({"model": {"type": "BPE", "vocab": {"a": 1 << 40}, "merges": []}}, "is not a tokenizer"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["b c"]}}, "is not a tokenizer"),
        (
            {"model": {"type": "BPE", "vocab": {"a": 0, "é": 1}, "merges": ["a é"], "continuing_subword_prefix": "x"}},
            "merges that do not fit its continuing_subword_prefix 'x'",
        ),
        ({"model": {"type": "Magic", "vocab": {"a": 0}}}, "is not a tokenizer"),
        ({"added_tokens": 5, "model": {"type": "BPE", "vocab": {}, "merges": []}}, "added_tokens must be a list"),
        ({"added_tokens": [{"id": -1, "content": "a"}]}, r"added_tokens\[0\]: id is -1, which is no token id"),
        ({"added_tokens": [{"content": "a"}]}, r"added_tokens\[0\]: id must be a token id, not null"),
    ],
)
def test_broken_tokenizer(content: Any, message: str, load: Callable[..., Any]) -> None:
    with pytest.raises(TokenizerError, match=rf"tokenizer\.json.*{message}"):
        load(tokenizer__json=content)
