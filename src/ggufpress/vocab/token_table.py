"""A vocabulary as rows: text, score and type of each token id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Value, ValueType, array

MAX_N_VOCAB = 1 << 22
"""More tokens than any model has; a broken config must not make us fill the memory with padding."""

PAD_SCORE = -10000.0
ADDED_SCORE = -1000.0


class TokenType(IntEnum):
    """What a token is, by the numbers of `tokenizer.ggml.token_type`. Source: gguf-py/gguf/constants.py, TokenType."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class TokenTable:
    """Tokens in id order. `scores` is None for vocabularies that rank by merges instead."""

    tokens: Sequence[str]
    types: Sequence[int]
    scores: Sequence[float] | None = None

    def metadata(self) -> list[tuple[str, Value]]:
        """The token list, scores and types in the order in which llama.cpp's converter writes them."""
        out = [("tokenizer.ggml.tokens", array(ValueType.STRING, self.tokens))]
        if self.scores is not None:
            out.append(("tokenizer.ggml.scores", array(ValueType.FLOAT32, self.scores)))
        out.append(("tokenizer.ggml.token_type", array(ValueType.INT32, self.types)))
        return [(key, value) for key, value in out if value.data]


def check_n_vocab(n_vocab: int, where: str) -> int:
    """`n_vocab` where a vocabulary can have that size. Raises TokenizerError that begins with `where` otherwise."""
    if not 0 < n_vocab <= MAX_N_VOCAB:
        raise TokenizerError(f"{where} gives a vocabulary of {n_vocab} tokens, but 1 to {MAX_N_VOCAB} are possible")
    return n_vocab


def padding(token_id: int) -> str:
    """The text of an id that the tokenizer does not know but the embedding has a row for."""
    return f"[PAD{token_id}]"


_CONTROL_TOKENS = frozenset({"<pad>", "<mask>", "<2mass>", "[@BOS@]"})
_CONTROL_BRACKETS = (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))


def looks_special(text: str) -> bool:
    """Whether a token is one for control by its spelling, whatever its flags say.

    Command R, DeepSeek Coder and Gemma mark such tokens as ordinary ones.
    Source: conversion/base.py, does_token_look_special.
    """
    return text in _CONTROL_TOKENS or any(text.startswith(a) and text.endswith(b) for a, b in _CONTROL_BRACKETS)


def added_token(text: str, *, special: bool) -> tuple[str, TokenType]:
    """Text and type of an added token: control, or user-defined with its spaces written as spaces."""
    if special or looks_special(text):
        return text, TokenType.CONTROL
    return text.replace("▁", " "), TokenType.USER_DEFINED
