from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.spm import read_spm
from ggufpress.vocab.token_table import TokenType
from ggufpress.vocab.tokenizer_files import TokenizerFiles

MakeFolder = Callable[..., Checkpoint]


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes([number << 3 | 2, len(content)]) + content


def model(*pieces: tuple[str, float, int]) -> bytes:
    """A SentencePiece ModelProto of (text, score, type) pieces, a BPE that does not normalize."""
    coded = (
        field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind]))
        for text, score, kind in pieces
    )
    return b"".join(coded) + field(2, b"\x18\x02") + field(3, field(1, b"identity"))


PIECES = (("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("a", -1.5, 1), ("<mask>", 0.0, 4), ("gone", 0.0, 5), ("z", -9.0, 1))


def test_pieces_of_every_type(folder: MakeFolder) -> None:
    table, notes = read_spm(TokenizerFiles(folder({"tokenizer.model": model(*PIECES)})), None)
    assert list(table.tokens) == [text for text, _, _ in PIECES]
    # A user-defined piece is a normal token.
    assert list(table.types) == [2, 3, 1, 1, 5, 1]
    assert list(table.scores or ()) == [0.0, 0.0, -1.5, 0.0, 0.0, -9.0]
    assert notes == ()


def test_bytes(folder: MakeFolder, spm_model: bytes) -> None:
    table, _ = read_spm(TokenizerFiles(folder({"tokenizer.model": spm_model})), None)
    assert [table.tokens[i] for i, kind in enumerate(table.types) if kind == TokenType.BYTE] == [
        f"<0x{i:02X}>" for i in range(256)
    ]


def test_padding_and_added_tokens(folder: MakeFolder) -> None:
    files = {
        "tokenizer.model": model(*PIECES),
        "added_tokens.json": {"plus": 6, "far": 99},
        "tokenizer_config.json": {"added_tokens_decoder": {"2": {"content": "▁b"}, "50": {"content": "x"}}},
    }
    table, notes = read_spm(TokenizerFiles(folder(files)), 8)
    assert list(table.tokens[-3:]) == ["z", "plus", "[PAD7]"]
    assert list(table.types[-2:]) == [TokenType.USER_DEFINED, TokenType.UNUSED]
    assert list(table.scores or ())[-2:] == [-1000.0, -10000.0]
    assert (table.tokens[2], table.types[2]) == (" b", TokenType.USER_DEFINED)
    assert notes == (
        "2 unused tokens pad the vocabulary to 8",
        "2 added tokens are left out: the model has 8 tokens",
    )


def test_a_model_with_fewer_tokens(folder: MakeFolder) -> None:
    table, notes = read_spm(TokenizerFiles(folder({"tokenizer.model": model(*PIECES)})), 4)
    assert len(table.tokens) == len(table.types) == 4
    assert notes == ("2 pieces of tokenizer.model are left out: the model has 4 tokens",)


@pytest.mark.parametrize(
    "content",
    [b"", b"IQ== 0\nIg== 1\n", b"\x00" * 100, model(*PIECES)[:20], model(), model(("a", 0.0, 1), ("a", 0.0, 1))],
)
def test_not_a_model(content: bytes, folder: MakeFolder) -> None:
    with pytest.raises(
        TokenizerError, match=r"tokenizer\.model is (not a SentencePiece model|a SentencePiece model without)"
    ):
        read_spm(TokenizerFiles(folder({"tokenizer.model": content})), 8)


def test_a_piece_that_is_no_text(folder: MakeFolder) -> None:
    content = model(("<unk>", 0.0, 2), ("abc", 0.0, 1)).replace(b"abc", b"a\xffc")
    with pytest.raises(
        TokenizerError, match=r"tokenizer\.model (holds a piece that is not UTF-8|is not a SentencePiece)"
    ):
        read_spm(TokenizerFiles(folder({"tokenizer.model": content})), 8)


def test_the_reason_is_given(folder: MakeFolder) -> None:
    content = model(("<unk>", 0.0, 2), ("a", 0.0, 1), ("a", 0.0, 1))
    with pytest.raises(TokenizerError, match=r"is not a SentencePiece model: a is already defined"):
        read_spm(TokenizerFiles(folder({"tokenizer.model": content})), 8)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("added_tokens.json", {"a": -1}, r"added_tokens\.json: 'a' is -1, which is no token id"),
        ("added_tokens.json", {"a": "1"}, r"added_tokens\.json: 'a' must be a token id, not a string"),
        ("added_tokens.json", {"a": 1 << 40}, r"added_tokens\.json: 'a' is 1099511627776"),
        ("added_tokens.json", '{"\\ud800": 1}', r"added_tokens\.json: .* holds half of a surrogate pair"),
        ("added_tokens.json", [], r"added_tokens\.json must be an object, not a list"),
        ("tokenizer_config.json", {"added_tokens_decoder": []}, r"added_tokens_decoder must be an object, not a list"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": {"content": "a"}}}, "has a key that is no token id"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"-1": {"content": "a"}}}, "is -1, which is no token id"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"1": "a"}}, r"\['1'\] must be an object, not a string"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"1": {}}}, r"\['1'\]: content must be a string, not null"),
        ("tokenizer_config.json", "{", r"tokenizer_config\.json is not JSON"),
    ],
)
def test_broken_companions(name: str, content: Any, message: str, folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=message):
        read_spm(TokenizerFiles(folder({"tokenizer.model": model(*PIECES), name: content})), 8)


@pytest.mark.parametrize("n_vocab", [-1, 1 << 40])
def test_config_with_a_silly_size(n_vocab: int, folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"config\.json: vocab_size gives a vocabulary of"):
        read_spm(TokenizerFiles(folder({"tokenizer.model": model(*PIECES)})), n_vocab)
