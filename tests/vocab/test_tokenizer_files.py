from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import tokenizer_files
from ggufpress.vocab.tokenizer_files import (
    TokenizerFiles,
    expect_bool,
    expect_id,
    expect_list,
    expect_object,
    expect_text,
)

MakeFolder = Callable[..., Checkpoint]


def test_missing_files_are_none(folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({}))
    assert files.json("tokenizer.json") is None
    assert not files.has("tokenizer.json")


def test_a_file_is_parsed_once(folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({"tokenizer_config.json": {"a": 1}}))
    assert files.json("tokenizer_config.json") is files.json("tokenizer_config.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON: Expecting property name"),
        (b"", "is not JSON: Expecting value"),
        (b"9" * 5000, "is not JSON: Exceeds the limit"),
        (b"[" * 100_000, "is not JSON: maximum recursion depth"),
        (b'{"a": "\xff"}', "is not UTF-8: invalid start byte at byte 7"),
        (b"[1]", "must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (b"1.5", "must be an object, not a number"),
        (b"\xef\xbb\xbf{}", "is not JSON: Unexpected UTF-8 BOM"),
    ],
)
def test_broken_json(content: bytes, message: str, folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({"tokenizer.json": content}))
    with pytest.raises(TokenizerError, match=rf"tokenizer\.json {message}"):
        files.json("tokenizer.json")


def test_size_is_bounded(folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_files, "MAX_FILE_BYTES", 3)
    with pytest.raises(TokenizerError, match="has 4 bytes"):
        TokenizerFiles(folder({"tokenizer.json": "{  }"})).json("tokenizer.json")


def test_line_ends(folder: MakeFolder) -> None:
    assert TokenizerFiles(folder({"a.txt": b"a\r\nb\rc\n"})).read_text("a.txt") == "a\nb\nc\n"


def test_missing_text(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"merges\.txt is missing"):
        TokenizerFiles(folder({})).read_text("merges.txt")


@pytest.mark.parametrize(
    ("expect", "good", "bad", "message"),
    [
        (expect_object, {}, [], "f must be an object, not a list"),
        (expect_list, [], "a", "f must be a list, not a string"),
        (expect_text, "a", None, "f must be a string, not null"),
        (expect_text, "a", "\ud800", "f holds half of a surrogate pair"),
        (expect_bool, True, 1, "f must be true or false, not a number"),
        (expect_id, 0, True, "f must be a token id, not a boolean"),
        (expect_id, 7, 7.0, "f must be a token id, not a number"),
        (expect_id, (1 << 32) - 1, 1 << 32, "f is 4294967296, which is no token id"),
        (expect_id, 1, -1, "f is -1, which is no token id"),
    ],
)
def test_fields(expect: Callable[[Any, str], Any], good: Any, bad: Any, message: str) -> None:
    assert expect(good, "f") == good
    with pytest.raises(TokenizerError, match=message):
        expect(bad, "f")
