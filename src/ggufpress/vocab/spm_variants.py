"""SentencePiece vocabularies with rules of their own: Phi-3 and the InternLMs.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/phi.py (Phi3MiniModel), conversion/internlm.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.vocab.spm import MODEL_FILE, load_spm, piece_type
from ggufpress.vocab.token_table import ADDED_SCORE, PAD_SCORE, TokenTable, TokenType, check_n_vocab, padding
from ggufpress.vocab.tokenizer_files import (
    TokenizerFiles,
    expect_id,
    expect_list,
    expect_object,
    expect_text,
    optional_object,
)

END_OF_TURN = "<|im_end|>"


def read_phi3(files: TokenizerFiles, n_vocab: int | None) -> TokenTable:
    """The pieces padded to `n_vocab`, with the added tokens of three files on top.

    Raises TokenizerError where the tokenizer has more tokens than the model.
    """
    pieces = load_spm(files)
    n_pieces = pieces.vocab_size()
    n_vocab = check_n_vocab(n_vocab or n_pieces, _vocab_size(files))
    if n_pieces > n_vocab:
        raise TokenizerError(
            f"{files.path(MODEL_FILE)} has {n_pieces} pieces, but the model has {n_vocab} tokens",
            hint="vocab_size in config.json, the embedding and the tokenizer must be of one model",
        )
    tokens = [pieces.IdToPiece(i) for i in range(n_pieces)] + [padding(i) for i in range(n_pieces, n_vocab)]
    scores = [pieces.GetScore(i) for i in range(n_pieces)] + [PAD_SCORE] * (n_vocab - n_pieces)
    types = [piece_type(pieces, i) for i in range(n_pieces)] + [TokenType.UNUSED] * (n_vocab - n_pieces)
    for token_id, text in _listed_tokens(files):
        if token_id < n_vocab:
            tokens[token_id], scores[token_id], types[token_id] = text, ADDED_SCORE, TokenType.USER_DEFINED
    for token_id, text, special, where in stated_tokens(files):
        if token_id >= n_vocab:
            raise TokenizerError(f"{where} has the id {token_id}, but the model has {n_vocab} tokens")
        kind = TokenType.CONTROL if special else TokenType.USER_DEFINED
        tokens[token_id], scores[token_id], types[token_id] = text, ADDED_SCORE, kind
    return TokenTable(tokens, types, scores)


def read_internlm2(files: TokenizerFiles, n_vocab: int | None) -> tuple[TokenTable, bool, int | None]:
    """The pieces, those of added_tokens.json behind them; whether texts begin with a space; the id that ends a turn.

    A piece of a zero byte is written as a dragon, as llama.cpp would take it for an empty one; `[UNUSED...` is unused.
    """
    pieces = load_spm(files)
    n_vocab = check_n_vocab(n_vocab or pieces.vocab_size(), _vocab_size(files))
    if n_vocab > pieces.vocab_size():
        raise TokenizerError(
            f"{files.path(MODEL_FILE)} has {pieces.vocab_size()} pieces, but the model has {n_vocab} tokens",
            hint="vocab_size in config.json, the embedding and the tokenizer must be of one model",
        )
    tokens = [pieces.IdToPiece(i) for i in range(n_vocab)]
    scores = [pieces.GetScore(i) for i in range(n_vocab)]
    types = [TokenType.UNUSED if tokens[i].startswith("[UNUSED") else piece_type(pieces, i) for i in range(n_vocab)]
    tokens = ["🐉" if token == "\0" else token for token in tokens]
    for _, text in _listed_tokens(files):
        tokens.append(text)
        scores.append(ADDED_SCORE)
        types.append(TokenType.USER_DEFINED)
    end_of_turn = None
    for token_id, text, special, where in stated_tokens(files):
        if token_id >= len(tokens):
            raise TokenizerError(f"{where} has the id {token_id}, but there are {len(tokens)} tokens")
        end_of_turn = token_id if text == END_OF_TURN else end_of_turn
        kind = TokenType.CONTROL if special else TokenType.USER_DEFINED
        tokens[token_id], scores[token_id], types[token_id] = text, ADDED_SCORE, kind
    return TokenTable(tokens, types, scores), adds_dummy_prefix(pieces.serialized_model_proto()), end_of_turn


def stated_tokens(files: TokenizerFiles, json_too: bool = True) -> Iterator[tuple[int, str, bool, str]]:
    """Id, text, whether it is special, and place: the added tokens of tokenizer_config.json, then of tokenizer.json."""
    name = "tokenizer_config.json"
    for key, entry in optional_object(files.json(name) or {}, "added_tokens_decoder", str(files.path(name))).items():
        where = f"{files.path(name)}: added_tokens_decoder[{key!r}]"
        try:
            token_id = expect_id(int(key), where)
        except ValueError:
            raise TokenizerError(f"{where} has a key that is no token id") from None
        yield _stated(token_id, entry, where)
    if not json_too:
        return
    where = f"{files.path('tokenizer.json')}: added_tokens"
    for i, entry in enumerate(expect_list((files.json("tokenizer.json") or {}).get("added_tokens") or [], where)):
        token = expect_object(entry, f"{where}[{i}]")
        yield _stated(expect_id(token.get("id"), f"{where}[{i}]: id"), token, f"{where}[{i}]")


def _stated(token_id: int, entry: Any, where: str) -> tuple[int, str, bool, str]:
    token = expect_object(entry, where)
    return token_id, expect_text(token.get("content"), f"{where}: content"), bool(token.get("special")), where


def _listed_tokens(files: TokenizerFiles) -> Iterator[tuple[int, str]]:
    name = "added_tokens.json"
    for text, token_id in (files.json(name) or {}).items():
        where = f"{files.path(name)}: {text!r}"
        yield expect_id(token_id, where), expect_text(text, where)


def _vocab_size(files: TokenizerFiles) -> str:
    return f"{files.path('config.json')}: vocab_size"


def adds_dummy_prefix(model: bytes) -> bool:
    """Whether a serialized SentencePiece model puts a space before each text: normalizer_spec.add_dummy_prefix, else yes.

    Source: sentencepiece_model.proto: field 3 of ModelProto, field 3 of NormalizerSpec.
    """
    for number, value in _fields(model):
        if number == 3 and isinstance(value, bytes):
            return next((bool(flag) for key, flag in _fields(value) if key == 3), True)
    return True


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of the fields of a protocol buffer message: integers, or the bytes of anything else."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        length = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        yield key >> 3, message[at : at + length]
        at += length
