"""Byte-level BPE vocabularies (GPT-2, Llama 3, Qwen, ...): tokenizer.json, or vocab.json with merges.txt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.vocab.fast_tokenizer import FastTokenizer, load_fast_tokenizer
from ggufpress.vocab.pretokenizer_fingerprints import CHECK_TEXT
from ggufpress.vocab.pretokenizers import RULES, PreTokenizer, recognise
from ggufpress.vocab.token_table import TokenTable, TokenType, added_token, check_n_vocab, padding
from ggufpress.vocab.tokenizer_files import TokenizerFiles


def read_bpe(files: TokenizerFiles, n_vocab: int | None) -> tuple[TokenTable, PreTokenizer, tuple[str, ...]]:
    """The vocabulary padded to `n_vocab`, its pre-tokenizer, and notes about how it was read.

    Raises TokenizerError where a token lies outside of `n_vocab` or the pre-tokenizer is unknown.
    Source: conversion/base.py, get_vocab_base.
    """
    tokenizer, source, table, notes = read_table(files, n_vocab)
    pre = recognise(tokenizer.encode(CHECK_TEXT), split_rules(files), source)
    return table, pre, (*tokenizer.notes, pre.how, *notes)


def read_table(files: TokenizerFiles, n_vocab: int | None) -> tuple[FastTokenizer, str, TokenTable, tuple[str, ...]]:
    """The tokenizer, its file, its vocabulary padded to `n_vocab`, and a note about the padding.

    Raises TokenizerError where a token lies outside of `n_vocab`.
    """
    tokenizer = load_fast_tokenizer(files)
    vocab: dict[str, int] = tokenizer.backend.get_vocab(with_added_tokens=True)
    source = tokenizer.where
    if not vocab:
        raise TokenizerError(f"{source} has an empty vocabulary")
    n_vocab = check_n_vocab(len(vocab) if n_vocab is None else n_vocab, f"{files.path('config.json')}: vocab_size")
    last = max(vocab, key=vocab.__getitem__)
    if vocab[last] >= n_vocab:
        raise TokenizerError(
            f"{source} gives {last!r} the id {vocab[last]}, but the model has {n_vocab} tokens",
            hint="vocab_size in config.json, the embedding and the tokenizer must be of one model",
        )
    unused = n_vocab - len(vocab)
    notes = (f"{unused} unused tokens pad the vocabulary to {n_vocab}",) if unused > 0 else ()
    return tokenizer, source, _table(tokenizer, vocab, n_vocab), notes


def split_rules(files: TokenizerFiles) -> Mapping[str, Any]:
    """What tokenizer.json states about splitting text; empty where there is none."""
    stated = files.json("tokenizer.json") or {}
    return {key: stated.get(key) for key in RULES}


def _table(tokenizer: FastTokenizer, vocab: Mapping[str, int], n_vocab: int) -> TokenTable:
    tokens: list[str | None] = [None] * n_vocab
    types: list[int] = [TokenType.NORMAL] * n_vocab
    for text, token_id in vocab.items():
        tokens[token_id] = text
    for token_id, token in tokenizer.added.items():
        text = token.content
        # llama.cpp looks for added tokens in text that is already normalized.
        if not token.normalized:
            text = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False))
        tokens[token_id], types[token_id] = added_token(text, special=token.special)
    for token_id, known in enumerate(tokens):
        if known is None:
            tokens[token_id], types[token_id] = padding(token_id), TokenType.UNUSED
    return TokenTable([text for text in tokens if text is not None], types)
