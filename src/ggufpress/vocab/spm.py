"""SentencePiece vocabularies from tokenizer.model, with the added tokens that stand in JSON files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sentencepiece import SentencePieceProcessor

from ggufpress.errors import TokenizerError
from ggufpress.vocab.token_table import (
    ADDED_SCORE,
    PAD_SCORE,
    TokenTable,
    TokenType,
    added_token,
    check_n_vocab,
    padding,
)
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_id, expect_object, expect_text, optional_object

MODEL_FILE = "tokenizer.model"


def read_spm(files: TokenizerFiles, n_vocab: int | None) -> tuple[TokenTable, tuple[str, ...]]:
    """The vocabulary in tokenizer.model, padded or cut to `n_vocab`, and notes about what was done.

    Added tokens replace pieces: those of added_tokens.json first, then tokenizer_config.json's added_tokens_decoder.
    Source: conversion/base.py, _create_vocab_sentencepiece.
    """
    pieces = load_spm(files)
    n_pieces = pieces.vocab_size()
    n_vocab = check_n_vocab(n_vocab or n_pieces, f"{files.checkpoint.root / 'config.json'}: vocab_size")
    n_known = min(n_pieces, n_vocab)

    ids = range(n_known)
    try:
        tokens: list[str] = [pieces.IdToPiece(i) for i in ids] + [padding(i) for i in range(n_known, n_vocab)]
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{files.path(MODEL_FILE)} holds a piece that is not UTF-8") from error
    scores = [pieces.GetScore(i) for i in ids] + [PAD_SCORE] * (n_vocab - n_known)
    types = [piece_type(pieces, i) for i in ids] + [TokenType.UNUSED] * (n_vocab - n_known)

    outside = 0
    for token_id, text, token_type in (*_added_tokens(files), *_added_tokens_decoder(files)):
        if token_id >= n_vocab:
            outside += 1
            continue
        tokens[token_id], scores[token_id], types[token_id] = text, ADDED_SCORE, token_type

    notes = [f"{n_vocab - n_known} unused tokens pad the vocabulary to {n_vocab}"] if n_vocab > n_known else []
    if n_pieces > n_vocab:
        notes.append(f"{n_pieces - n_vocab} pieces of {MODEL_FILE} are left out: the model has {n_vocab} tokens")
    if outside:
        notes.append(f"{outside} added tokens are left out: the model has {n_vocab} tokens")
    return TokenTable(tokens, types, scores), tuple(notes)


def load_spm(files: TokenizerFiles, name: str = MODEL_FILE) -> Any:
    """The SentencePieceProcessor of tokenizer.model. Raises TokenizerError where there is none or it is broken."""
    content = files.read_bytes(name)
    processor = SentencePieceProcessor()
    try:
        loaded = processor.LoadFromSerializedProto(content)
    except (RuntimeError, UnicodeDecodeError) as error:
        # The library's own words are its source line, or bytes of the model.
        reason = str(error).splitlines()[0].removeprefix("INTERNAL: ")
        shown = "" if isinstance(error, UnicodeDecodeError) or reason.startswith("src/") else f": {reason}"
        raise TokenizerError(
            f"{files.path(name)} is not a SentencePiece model{shown}",
            hint="if tokenizer.json holds the vocabulary (as for Llama 3), move tokenizer.model away",
        ) from error
    if not loaded or processor.vocab_size() == 0:
        raise TokenizerError(f"{files.path(name)} is a SentencePiece model without pieces")
    return processor


def piece_type(pieces: Any, token_id: int) -> TokenType:
    """What SentencePiece says a piece is."""
    if pieces.IsUnknown(token_id):
        return TokenType.UNKNOWN
    if pieces.IsControl(token_id):
        return TokenType.CONTROL
    if pieces.IsUnused(token_id):
        return TokenType.UNUSED
    return TokenType.BYTE if pieces.IsByte(token_id) else TokenType.NORMAL


def _added_tokens(files: TokenizerFiles) -> Iterator[tuple[int, str, TokenType]]:
    name = "added_tokens.json"
    for text, token_id in (files.json(name) or {}).items():
        where = f"{files.path(name)}: {text!r}"
        yield expect_id(token_id, where), expect_text(text, where), TokenType.USER_DEFINED


def _added_tokens_decoder(files: TokenizerFiles) -> Iterator[tuple[int, str, TokenType]]:
    name = "tokenizer_config.json"
    for key, entry in optional_object(files.json(name) or {}, "added_tokens_decoder", str(files.path(name))).items():
        where = f"{files.path(name)}: added_tokens_decoder[{key!r}]"
        try:
            token_id = expect_id(int(key), where)
        except ValueError:
            raise TokenizerError(f"{where} has a key that is no token id") from None
        token = expect_object(entry, where)
        text = expect_text(token.get("content"), f"{where}: content")
        yield token_id, *added_token(text, special=bool(token.get("special")))
