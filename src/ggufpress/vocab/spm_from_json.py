"""Llama's SentencePiece BPE where only tokenizer.json is left of it (no tokenizer.model): pieces with byte fallback."""

from __future__ import annotations

import re

from ggufpress.errors import TokenizerError
from ggufpress.vocab.fast_tokenizer import load_fast_tokenizer
from ggufpress.vocab.token_table import ADDED_SCORE, TokenTable, TokenType
from ggufpress.vocab.tokenizer_files import TokenizerFiles, optional_object

_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


def is_spm_json(files: TokenizerFiles) -> bool:
    """Whether tokenizer.json holds a BPE with byte fallback and SentencePiece's decoder, as that of Llama 2.

    Source: gguf-py/gguf/vocab.py, LlamaHfVocab.
    """
    where = str(files.path("tokenizer.json"))
    stated = files.json("tokenizer.json") or {}
    model, decoder = optional_object(stated, "model", where), optional_object(stated, "decoder", where)
    return model.get("type") == "BPE" and bool(model.get("byte_fallback")) and decoder.get("type") == "Sequence"


def read_spm_json(files: TokenizerFiles) -> tuple[TokenTable, tuple[str, ...]]:
    """The vocabulary in tokenizer.json and notes about how it was read. All scores are equal: the file has none.

    It is as long as the tokenizer, whatever the config says. Source: gguf-py/gguf/vocab.py, LlamaHfVocab.
    """
    tokenizer = load_fast_tokenizer(files)
    special = set(tokenizer.special_tokens)
    n_base = tokenizer.n_base
    by_id = {token_id: text for text, token_id in tokenizer.vocab().items()}

    tokens: list[str] = []
    types: list[int] = []
    for token_id in range(n_base):
        if (text := by_id.get(token_id)) is None:
            raise TokenizerError(f"{files.path('tokenizer.json')} has {n_base} tokens, but none with the id {token_id}")
        tokens.append(text)
        normal = TokenType.CONTROL if text in special else TokenType.NORMAL
        types.append(TokenType.BYTE if _BYTE.fullmatch(text) else normal)
    for token_id, token in sorted(tokenizer.added.items()):
        if token_id >= n_base:
            tokens.append(token.content)
            types.append(TokenType.CONTROL if token.content in special else TokenType.USER_DEFINED)
    notes = (*tokenizer.notes, "SentencePiece vocabulary read from tokenizer.json: it has no scores")
    return TokenTable(tokens, types, [ADDED_SCORE] * len(tokens)), notes
