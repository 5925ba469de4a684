"""Vocabularies of encoders and encoder-decoders: which files count for which models, and the metadata that comes of them.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py, conversion/t5.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from tokenizers import models

from ggufpress.errors import TokenizerError, UnsupportedError
from ggufpress.gguf.values import Metadata, flag, text, u32
from ggufpress.vocab.bpe import find_pretokenizer, read_table
from ggufpress.vocab.fast_tokenizer import FastTokenizer
from ggufpress.vocab.sentencepiece_model import BPE
from ggufpress.vocab.special import special_metadata
from ggufpress.vocab.spm import MODEL_FILE
from ggufpress.vocab.token_table import TokenTable, TokenType
from ggufpress.vocab.tokenizer_files import TokenizerFiles, optional_object
from ggufpress.vocab.ugm import (
    TOKENIZER_JSON,
    XLM_ROBERTA_FILE,
    UnigramVocab,
    read_camembert,
    read_t5,
    read_t5_json,
    read_unigram_json,
    read_xlm_roberta,
    unigram_facts,
    with_token,
)

Reading: TypeAlias = tuple[Metadata, tuple[str, ...]]
"""The `tokenizer.*` keys in file order, and notes about how they were read."""

LOWERCASE, STRIP_ACCENTS = "tokenizer.ggml.normalizer.lowercase", "tokenizer.ggml.normalizer.strip_accents"
OLD_MODEL_FILE = "spiece.model"
TOKEN_TYPE_COUNT = "tokenizer.ggml.token_type_count"
NOMIC_MASK = (250001, "<mask>")
"""The token that sentencepiece.bpe.model lacks. Source: conversion/bert.py, _xlmroberta_set_vocab."""


def read_wordpiece(files: TokenizerFiles, n_vocab: int | None) -> Reading:
    """A WordPiece vocabulary: pieces that begin a word get a ▁ in front, those within one lose their ##.

    Source: conversion/bert.py, BertModel.set_vocab.
    """
    tokenizer, table, notes = read_table(files, n_vocab)
    pre = find_pretokenizer(files, tokenizer)
    out: Metadata = {"tokenizer.ggml.model": text("bert"), "tokenizer.ggml.pre": text(pre.name)}
    tokens = [_phantom(*row) for row in zip(table.tokens, table.types, strict=True)]
    out.update(TokenTable(tokens, table.types).metadata())
    out.update(special_metadata(files, n_vocab=len(tokens)))
    notes = (*tokenizer.notes, pre.how, *notes)
    if not isinstance(tokenizer.backend.model, models.WordPiece):
        notes += (
            "byte-level BPE written as WordPiece, as the converter does without a tokenizer.json: texts are cut otherwise",
        )
    return (out, notes) if pre.known else _with_normalizer(tokenizer, out, notes)


def _with_normalizer(tokenizer: FastTokenizer, metadata: Metadata, notes: tuple[str, ...]) -> Reading:
    """What the normalizer does, where the keys so far say something else and no file of the reference has to be equalled."""
    normalizer = tokenizer.backend.normalizer
    state = {} if normalizer is None else json.loads(normalizer.__getstate__())
    if state.get("type") != "BertNormalizer":
        return metadata, notes
    stated = state.get("strip_accents")
    lowercase = bool(state.get("lowercase"))
    # llama.cpp's defaults: all in lower case, and accents go where the case does
    written = metadata.get(LOWERCASE, flag(True))
    if written != flag(lowercase):
        metadata[LOWERCASE] = written = flag(lowercase)
    strips = flag(lowercase if stated is None else bool(stated))
    if metadata.get(STRIP_ACCENTS, written) != strips:
        metadata[STRIP_ACCENTS] = strips
    if not state.get("handle_chinese_chars", True):
        notes += ("llama.cpp takes each Chinese character for a word, which this tokenizer does not",)
    return metadata, notes


def _phantom(token: str, token_type: int) -> str:
    if token_type == TokenType.CONTROL:
        return token
    return token[2:] if token.startswith("##") else f"▁{token}"


def _whitespace(files: TokenizerFiles, n_vocab: int | None) -> Reading:
    tokenizer, table, notes = read_table(files, n_vocab)
    out: Metadata = {"tokenizer.ggml.model": text("whitespace"), "tokenizer.ggml.pre": text("whitespace")}
    out.update(table.metadata())
    out.update(special_metadata(files, load_merges=True))
    return out, (*tokenizer.notes, *notes)


def _unigram(files: TokenizerFiles, n_vocab: int | None, read: Callable[..., UnigramVocab]) -> Reading:
    vocab = read(files, n_vocab)
    return {**vocab.metadata(), **special_metadata(files, n_vocab=len(vocab.table.tokens))}, vocab.notes


def _nomic_xlm(files: TokenizerFiles, n_vocab: int | None) -> UnigramVocab:
    return with_token(read_xlm_roberta(files, n_vocab), *NOMIC_MASK)


def _t5_model(files: TokenizerFiles, n_vocab: int | None) -> UnigramVocab:
    return read_t5(files, MODEL_FILE if files.has(MODEL_FILE) else OLD_MODEL_FILE, n_vocab)


READ: Mapping[str, Callable[[TokenizerFiles, int | None], Reading]] = {
    "wpm": read_wordpiece,
    "whitespace": _whitespace,
    "ugm-xlm-roberta": partial(_unigram, read=read_xlm_roberta),
    "ugm-camembert": partial(_unigram, read=read_camembert),
    "ugm-nomic": partial(_unigram, read=_nomic_xlm),
    "ugm-t5": partial(_unigram, read=_t5_model),
    "ugm-json": partial(_unigram, read=read_unigram_json),
    "ugm-json-t5": partial(_unigram, read=read_t5_json),
}
"""How to read one kind of vocabulary."""


def _roberta(files: TokenizerFiles) -> str:
    # without a tokenizer.json the reference takes byte-level BPE for WordPiece
    return "bpe" if files.has(TOKENIZER_JSON) else "wpm"


def _xlm_roberta(files: TokenizerFiles, kind: str = "ugm-xlm-roberta") -> str:
    return kind if files.has(XLM_ROBERTA_FILE) else _unigram_json(files)


def _unigram_json(files: TokenizerFiles, kind: str = "ugm-json") -> str:
    if (stated := _model_type(files)) != "Unigram":
        raise TokenizerError(
            f"{files.path(TOKENIZER_JSON)} {f'holds a {stated} model' if stated else 'is missing'}, "
            "a Unigram vocabulary was expected"
        )
    return kind


def _nomic(files: TokenizerFiles) -> str:
    if (stated := _model_type(files)) == "WordPiece":
        return "wpm"
    if stated != "Unigram":
        raise UnsupportedError(f"{files.path(TOKENIZER_JSON)}: WordPiece or Unigram was expected, not {stated}")
    return _xlm_roberta(files, "ugm-nomic")


def _t5(files: TokenizerFiles) -> str:
    for name in (MODEL_FILE, OLD_MODEL_FILE):
        if files.has(name):
            return "spm" if name == MODEL_FILE and unigram_facts(files, name).model_type == BPE else "ugm-t5"
    return _unigram_json(files, "ugm-json-t5")


def _jina_v2(files: TokenizerFiles) -> str:
    where = files.path("tokenizer_config.json")
    stated = (files.json("tokenizer_config.json") or {}).get("tokenizer_class")
    if stated == "BertTokenizer":
        return "wpm"
    if stated != "RobertaTokenizer":
        raise UnsupportedError(
            f"{where}: tokenizer_class is {stated!r:.40}, BertTokenizer or RobertaTokenizer was expected"
        )
    rules = optional_object(files.json(TOKENIZER_JSON) or {}, "pre_tokenizer", str(files.path(TOKENIZER_JSON)))
    return "whitespace" if rules.get("type") == "Whitespace" else "bpe"


def _model_type(files: TokenizerFiles) -> str | None:
    where = str(files.path(TOKENIZER_JSON))
    stated = optional_object(files.json(TOKENIZER_JSON) or {}, "model", where).get("type")
    return None if stated is None else str(stated)


def _qwen(files: TokenizerFiles, kind: str) -> str:
    """InternS1's where the whole model is one, else `kind`."""
    classes = files.checkpoint.config.get("architectures")
    return "interns1" if isinstance(classes, list) and classes[:1] == ["InternS1ForConditionalGeneration"] else kind


CHOOSE: Mapping[str, Callable[[TokenizerFiles], str]] = {
    "roberta": _roberta,
    "xlm-roberta": _xlm_roberta,
    "camembert": partial(_xlm_roberta, kind="ugm-camembert"),
    "nomic": _nomic,
    "t5": _t5,
    "jina-v2": _jina_v2,
    "qwen": partial(_qwen, kind="spm-or-bpe"),
    "qwen-moe": partial(_qwen, kind="bpe"),
}
"""Which kind of vocabulary a family reads, by the files that are there."""


def with_token_types(metadata: Metadata, count: int, *, wordpiece: bool, fixed: bool) -> Metadata:
    """`metadata` with the number of segment kinds, at the place where llama.cpp's converter writes it.

    `fixed`: two, whatever the config says.
    """
    key = {TOKEN_TYPE_COUNT: u32(2 if fixed and not wordpiece else count)}
    if wordpiece:
        return key | metadata
    if "tokenizer.ggml.add_space_prefix" not in metadata:
        return metadata | key
    at = list(metadata).index("tokenizer.ggml.add_space_prefix") + 1
    items = list(metadata.items())
    return dict(items[:at]) | key | dict(items[at:])
