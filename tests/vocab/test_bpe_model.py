"""The ids that a few merges give are those of the whole model, as the tokenizers library reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ggufpress.errors import TokenizerError
from ggufpress.vocab.bpe_model import BpeModel, read_bpe_model
from ggufpress.vocab.fast_tokenizer import load_fast_tokenizer
from ggufpress.vocab.pretokenizer_fingerprints import CHECK_TEXT
from ggufpress.vocab.tokenizer_files import TokenizerFiles
from tests.tiny_checkpoints import tokenizer_files
from tests.vocab.conftest import DATA, MakeFolder
from tests.vocab.hard_texts import HARD_TEXTS

BUNDLED = ("gpt-2", "llama-bpe", "llama-fast")
CUT_DOWN = ("deepseek-llm", "llama-bpe")


def stated_of(name: str) -> dict[str, Any]:
    if name in BUNDLED:
        content: dict[str, Any] = json.loads(dict(tokenizer_files(name))["tokenizer.json"])
        return content
    content = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return content


def bpe(name: str) -> tuple[BpeModel, Any, Any]:
    """The model, the library's tokenizer whose model it may change, and one that stays whole."""
    stated = stated_of(name)
    model = read_bpe_model(stated)
    assert model is not None
    text = json.dumps(stated)
    return model, Tokenizer.from_str(text), Tokenizer.from_str(text)


@pytest.mark.parametrize("name", [*BUNDLED, *CUT_DOWN])
def test_all_texts_get_the_ids_of_the_whole_model(name: str) -> None:
    model, changed, whole = bpe(name)
    for text in (CHECK_TEXT, *HARD_TEXTS):
        for special in (False, True):
            assert (
                model.encode(changed, text, add_special_tokens=special)
                == whole.encode(text, add_special_tokens=special).ids
            )


LLAMA = bpe("llama-bpe")


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \nteh1'"), max_size=60))
def test_any_text_gets_the_ids_of_the_whole_model(text: str) -> None:
    model, changed, whole = LLAMA
    assert model.encode(changed, text, add_special_tokens=True) == whole.encode(text).ids


def small(**changes: Any) -> dict[str, Any]:
    """A tokenizer.json of letters, in which three merges make words."""
    vocab = {token: i for i, token in enumerate(["<unk>", *"abch", "ab", "abc", "<0xE2>", "<0x82>", "<0xAC>", "ha"])}
    model = {"type": "BPE", "unk_token": "<unk>", "vocab": vocab, "merges": ["a b", "ab c", "h a"]}
    return {
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": model | changes,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fuse_unk": True},
        {"byte_fallback": True},
        {"unk_token": None},
        {"merges": [["a", "b"], ["ab", "c"], ["h", "a"]]},
        {"merges": [["h", "a"], ["a", "b"], ["ab", "c"]]},
        {"merges": []},
    ],
)
def test_flags_count(changes: dict[str, Any]) -> None:
    stated = small(**changes)
    model = read_bpe_model(stated)
    assert model is not None
    changed, whole = (Tokenizer.from_str(json.dumps(stated)) for _ in range(2))
    for text in ("abc habc", "xy abc €a", "€€ hab", "aéb", ""):
        assert model.encode(changed, text, add_special_tokens=False) == whole.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "WordPiece"},
        {"dropout": 0.1},
        {"end_of_word_suffix": "</w>"},
        {"continuing_subword_prefix": "##"},
        # its letters are not those of bytes
        {"ignore_merges": True},
        {"vocab": [["a", 0]]},
        {"vocab": {"a": True}, "merges": []},
        {"vocab": {"a": 0.5}, "merges": []},
        {"merges": None},
        {"merges": ["a c"]},
        {"merges": ["a x"]},
        {"merges": ["a"]},
        {"merges": ["a b c"]},
        {"merges": [["a", "b", "c"]]},
        {"merges": [1]},
        {"merges": ["a b", ["ab", "c"]]},
    ],
)
def test_what_the_library_must_judge_is_left_to_it(changes: dict[str, Any]) -> None:
    assert read_bpe_model(small(**changes)) is None


def test_a_token_with_a_space_leaves_the_merges_to_the_library() -> None:
    vocab = {"a": 0, "b c": 1, "ab c": 2}
    assert read_bpe_model(small(vocab=vocab, merges=["a b c"])) is None
    assert read_bpe_model(small(vocab=vocab, merges=[["a", "b c"]])) is not None


def test_a_very_long_word_takes_all_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    model, changed, whole = bpe("llama-bpe")
    monkeypatch.setattr("ggufpress.vocab.bpe_model.MAX_PARTS", 3)
    assert (
        model.encode(changed, "some words", add_special_tokens=False)
        == whole.encode("some words", add_special_tokens=False).ids
    )


def test_ids_of_added_tokens_are_those_of_the_library(folder: MakeFolder, tokenizer_json: Callable[[str], Any]) -> None:
    stated = tokenizer_json("llama-bpe")
    last = max(token["id"] for token in stated["added_tokens"])
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    # one whose id is not what it says, one that is a token already
    stated["added_tokens"] += [
        {"id": last + 7, "content": "<new>", **flags},
        {"id": last + 9, "content": "the", **flags},
    ]
    files = TokenizerFiles(folder({"tokenizer.json": stated}))
    tokenizer = load_fast_tokenizer(files)
    whole = Tokenizer.from_str(json.dumps(stated))
    assert tokenizer.model is not None
    assert tokenizer.vocab() == whole.get_vocab(with_added_tokens=True)
    assert {i: token.content for i, token in tokenizer.added.items()} == {
        i: token.content for i, token in whole.get_added_tokens_decoder().items()
    }
    assert tokenizer.encode("the <new> word") == whole.encode("the <new> word").ids


def test_ids_that_do_not_fit_are_an_error(folder: MakeFolder) -> None:
    stated = small(vocab={"a": 1 << 32}, merges=[])
    with pytest.raises(TokenizerError, match="is not a tokenizer"):
        load_fast_tokenizer(TokenizerFiles(folder({"tokenizer.json": stated})))
