"""What kinds of tokens llama.cpp knows, and which added tokens count as control tokens.

Source: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/constants.py (`TokenType`), conversion/base.py
(`does_token_look_special`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from ggufpress.gguf.values import Value, ValueType, array, text

SPACE_MARK = "▁"
LOOKS_SPECIAL = frozenset(("<pad>", "<mask>", "<2mass>", "[@BOS@]"))
SPECIAL_BRACKETS = (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))


class TokenType(IntEnum):
    """The numbers in `tokenizer.ggml.token_type`."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


def looks_special(token: str) -> bool:
    """Whether a token is a control token by its looks: many models do not mark theirs."""
    return token in LOOKS_SPECIAL or any(token.startswith(a) and token.endswith(b) for a, b in SPECIAL_BRACKETS)


def added_token(token: str, special: bool) -> tuple[str, TokenType]:
    """The text and type of an added token. Marks of spaces in a user-defined token are spaces."""
    if special or looks_special(token):
        return token, TokenType.CONTROL
    return token.replace(SPACE_MARK, " "), TokenType.USER_DEFINED


def padding(number: int) -> str:
    """The name of an id that has no token."""
    return f"[PAD{number}]"


def token_keys(
    model: str, pre: str, tokens: Sequence[str], types: Sequence[TokenType], scores: Sequence[float] | None = None
) -> list[tuple[str, Value]]:
    """The keys of a token list: model, pre-tokenizer, tokens, scores where there are any, types."""
    keys = [
        ("tokenizer.ggml.model", text(model)),
        ("tokenizer.ggml.pre", text(pre)),
        ("tokenizer.ggml.tokens", array(ValueType.STRING, tokens)),
    ]
    if scores is not None:
        keys.append(("tokenizer.ggml.scores", array(ValueType.FLOAT32, scores)))
    return [*keys, ("tokenizer.ggml.token_type", array(ValueType.INT32, types))]
