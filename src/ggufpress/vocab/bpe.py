"""Byte-level BPE vocabularies (GPT-2, Llama 3, Qwen, ...): tokenizer.json, or vocab.json with merges.txt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tokenizers import models

from ggufpress.errors import TokenizerError
from ggufpress.vocab.fast_tokenizer import FastTokenizer, load_fast_tokenizer
from ggufpress.vocab.pretokenizer_fingerprints import CHECK_TEXT
from ggufpress.vocab.pretokenizers import RULES, PreTokenizer, recognise, stated_pretokenizer
from ggufpress.vocab.token_table import TokenTable, TokenType, added_token, check_n_vocab, padding
from ggufpress.vocab.tokenizer_files import TokenizerFiles, optional_object


def read_bpe(
    files: TokenizerFiles, n_vocab: int | None, *, as_stated: bool = False
) -> tuple[TokenTable, PreTokenizer, tuple[str, ...]]:
    """The vocabulary padded to `n_vocab`, its pre-tokenizer, and notes about how it was read.

    `as_stated`: added tokens are control tokens where they are marked so, and are not normalized.
    Raises TokenizerError where a token lies outside of `n_vocab` or the pre-tokenizer is unknown.
    Source: conversion/base.py, get_vocab_base.
    """
    tokenizer, table, notes = read_table(files, n_vocab, as_stated=as_stated)
    pre = find_pretokenizer(files, tokenizer)
    return table, pre, (*tokenizer.notes, pre.how, *notes)


def find_pretokenizer(files: TokenizerFiles, tokenizer: FastTokenizer) -> PreTokenizer:
    """The pre-tokenizer that the user names, or the one that the tokenizer has. Raises TokenizerError for an unknown one."""
    if files.pre is not None:
        return stated_pretokenizer(files.pre)
    model_type = files.checkpoint.config.get("model_type")
    where = str(files.path("tokenizer.json"))
    model = optional_object(files.json("tokenizer.json") or {}, "model", where)
    return recognise(
        tokenizer.encode(CHECK_TEXT),
        split_rules(files, tokenizer),
        tokenizer.where,
        model_type=model_type if isinstance(model_type, str) else None,
        ignores_merges=bool(model.get("ignore_merges")),
        word_pieces=isinstance(tokenizer.backend.model, models.WordPiece),
    )


def read_table(
    files: TokenizerFiles, n_vocab: int | None, *, as_stated: bool = False
) -> tuple[FastTokenizer, TokenTable, tuple[str, ...]]:
    """The tokenizer, its vocabulary padded to `n_vocab`, and a note about the padding.

    Raises TokenizerError where a token lies outside of `n_vocab`.
    """
    tokenizer = load_fast_tokenizer(files)
    vocab = tokenizer.vocab()
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
    return tokenizer, _table(tokenizer, vocab, n_vocab, as_stated), notes


def split_rules(files: TokenizerFiles, tokenizer: FastTokenizer) -> Mapping[str, Any]:
    """What tokenizer.json states about splitting text, or what was made of older files where there is none."""
    if (stated := files.json("tokenizer.json")) is not None:
        return {key: stated.get(key) for key in RULES}
    parts = (tokenizer.backend.normalizer, tokenizer.backend.pre_tokenizer)
    return {
        key: None if part is None else json.loads(part.__getstate__()) for key, part in zip(RULES, parts, strict=True)
    }


def _table(tokenizer: FastTokenizer, vocab: Mapping[str, int], n_vocab: int, as_stated: bool) -> TokenTable:
    tokens: list[str | None] = [None] * n_vocab
    types: list[int] = [TokenType.NORMAL] * n_vocab
    for text, token_id in vocab.items():
        tokens[token_id] = text
    for token_id, token in tokenizer.added.items():
        text = token.content
        if as_stated:
            tokens[token_id], types[token_id] = text, TokenType.CONTROL if token.special else TokenType.USER_DEFINED
            continue
        # llama.cpp looks for added tokens in text that is already normalized.
        if not token.normalized:
            text = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False))
        tokens[token_id], types[token_id] = added_token(text, special=token.special)
    for token_id, known in enumerate(tokens):
        if known is None:
            tokens[token_id], types[token_id] = padding(token_id), TokenType.UNUSED
    return TokenTable([text for text in tokens if text is not None], types)
