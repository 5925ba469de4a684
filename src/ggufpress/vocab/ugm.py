"""Unigram vocabularies (T5, XLM-RoBERTa, CamemBERT): from a SentencePiece model, or from a tokenizer.json."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, ValueType, array, flag, text
from ggufpress.vocab.fast_tokenizer import load_fast_tokenizer
from ggufpress.vocab.sentencepiece_model import UNIGRAM, ModelFacts, read_facts
from ggufpress.vocab.splitting_rules import flat_rules
from ggufpress.vocab.spm import load_spm, piece_type
from ggufpress.vocab.token_table import ADDED_SCORE, PAD_SCORE, TokenTable, TokenType, check_n_vocab, padding
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_id, expect_list, expect_object, expect_text

XLM_ROBERTA_FILE = "sentencepiece.bpe.model"
TOKENIZER_JSON = "tokenizer.json"

XLM_ROBERTA_FIRST = ("<s>", "<pad>", "</s>", "<unk>")
"""The tokens that stand for the first three pieces. Source: conversion/bert.py, _xlmroberta_set_vocab."""
CAMEMBERT_FIRST = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED")
CAMEMBERT_LAST = "<mask>"
_DEFAULT_UNK = 3
MAX_SCORE = 3e38
_SPACES = (" {2,}", "[ ]{2,}", "\\s{2,}", "\\s+")


@dataclass(frozen=True)
class UnigramVocab:
    """A vocabulary with scores, and how text is normalized before it is cut into pieces."""

    table: TokenTable
    adds_prefix: bool
    removes_spaces: bool
    charsmap: bytes
    notes: tuple[str, ...] = ()

    def metadata(self) -> Metadata:
        """The keys in the order in which llama.cpp's converter writes them."""
        out: Metadata = {"tokenizer.ggml.model": text("t5"), "tokenizer.ggml.pre": text("default")}
        out.update(self.table.metadata())
        out["tokenizer.ggml.add_space_prefix"] = flag(self.adds_prefix)
        out["tokenizer.ggml.remove_extra_whitespaces"] = flag(self.removes_spaces)
        if self.charsmap:
            out["tokenizer.ggml.precompiled_charsmap"] = array(ValueType.UINT8, self.charsmap)
        return out


def unigram_facts(files: TokenizerFiles, name: str) -> ModelFacts:
    """What the SentencePiece model `name` says about itself. Raises TokenizerError where it is broken."""
    return read_facts(files.read_bytes(name), str(files.path(name)))


def read_t5(files: TokenizerFiles, name: str, n_vocab: int | None) -> UnigramVocab:
    """The pieces of the SentencePiece model `name`, padded to `n_vocab`, with the tokens of added_tokens.json over them.

    Raises TokenizerError where there are more pieces than ids. Source: conversion/t5.py, T5Model.set_vocab.
    """
    facts, table = _pieces(files, name)
    table = _padded(files, name, table, n_vocab)
    tokens, scores, types = list(table.tokens), list(table.scores or ()), list(table.types)
    outside = 0
    for content, token_id in (files.json("added_tokens.json") or {}).items():
        where = f"{files.path('added_tokens.json')}: {content!r}"
        if expect_id(token_id, where) >= len(tokens):
            outside += 1
            continue
        tokens[token_id], scores[token_id], types[token_id] = (
            expect_text(content, where),
            ADDED_SCORE,
            TokenType.USER_DEFINED,
        )
    notes = (f"{outside} added tokens are left out: the model has {len(tokens)} tokens",) if outside else ()
    return _with_facts(TokenTable(tokens, types, scores), facts, notes)


def read_xlm_roberta(files: TokenizerFiles, n_vocab: int | None) -> UnigramVocab:
    """The vocabulary in sentencepiece.bpe.model, its pieces moved to the ids that XLM-RoBERTa gives them.

    Source: conversion/bert.py, _xlmroberta_set_vocab.
    """
    facts, table = _pieces(files, XLM_ROBERTA_FILE)
    table = _padded(files, XLM_ROBERTA_FILE, table, max(n_vocab or 0, len(table.tokens)))
    return _with_facts(_table_behind(XLM_ROBERTA_FIRST, table, 3, len(table.tokens) - 1), facts, ())


def read_camembert(files: TokenizerFiles, n_vocab: int | None) -> UnigramVocab:
    """The vocabulary in sentencepiece.bpe.model, its pieces moved to the ids that CamemBERT gives them.

    Source: transformers 4.57.6, convert_slow_tokenizer.py, CamembertConverter.
    """
    facts, table = _pieces(files, XLM_ROBERTA_FILE)
    table = _table_behind(CAMEMBERT_FIRST, table, 1, len(table.tokens))
    table = TokenTable([*table.tokens, CAMEMBERT_LAST], [*table.types, TokenType.CONTROL], [*(table.scores or ()), 0.0])
    return _with_facts(_padded(files, XLM_ROBERTA_FILE, table, n_vocab), facts, ())


def read_unigram_json(files: TokenizerFiles, n_vocab: int | None) -> UnigramVocab:
    """The vocabulary of a tokenizer.json whose model is Unigram.

    What tokenizer_config.json says about prefix and spaces counts, as in the reference, which looks at nothing else.
    Source: conversion/bert.py, _xlmroberta_set_vocab.
    """
    tokenizer = load_fast_tokenizer(files)
    where = str(files.path(TOKENIZER_JSON))
    model = expect_object((files.json(TOKENIZER_JSON) or {}).get("model"), f"{where}: model")
    entries = expect_list(model.get("vocab"), f"{where}: model: vocab")
    n_base = tokenizer.n_base
    size = check_n_vocab(max(n_vocab or 0, n_base), f"{files.path('config.json')}: vocab_size")
    config = files.json("tokenizer_config.json") or {}

    added = {token.content: token_id for token_id, token in tokenizer.added.items()}
    unk = config.get("unk_token")
    unk = unk.get("content") if isinstance(unk, dict) else unk
    unk_id = added.get(unk, model.get("unk_id", _DEFAULT_UNK)) if isinstance(unk, str) else model.get("unk_id")
    special = {tokenizer.backend.token_to_id(token) for token in tokenizer.special_tokens}
    tokens = [padding(i) for i in range(size)]
    scores, types = [PAD_SCORE] * size, [int(TokenType.UNUSED)] * size
    for token_id in range(min(n_base, len(entries))):
        piece = tokenizer.backend.id_to_token(token_id)
        if piece is None:
            continue
        tokens[token_id], scores[token_id] = piece, _score(entries[token_id], f"{where}: model: vocab[{token_id}]")
        types[token_id] = TokenType.NORMAL
        if token_id == unk_id:
            types[token_id] = TokenType.UNKNOWN
        elif token_id in special:
            types[token_id] = TokenType.CONTROL
        elif token_id in tokenizer.added:
            types[token_id] = TokenType.USER_DEFINED
    outside = sum(token_id >= n_base for token_id in tokenizer.added)
    notes = (*tokenizer.notes, "Unigram vocabulary read from tokenizer.json")
    if outside:
        notes += (f"{outside} added tokens beyond the {n_base} of the model are unused ids, as in the reference",)
    rules = json_rules(files)
    adds = bool(config.get("add_prefix_space", False))
    if adds != rules.adds_prefix:
        notes += (
            "tokenizer_config.json decides whether text gets a space in front, though tokenizer.json says otherwise",
        )
    removes = bool(config.get("clean_up_tokenization_spaces", False))
    return UnigramVocab(TokenTable(tokens, types, scores), adds, removes, rules.charsmap, notes)


def _score(entry: Any, where: str) -> float:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], int | float):
        raise TokenizerError(f"{where} is {entry!r:.60}, a token and its score were expected")
    if not abs(entry[1]) < MAX_SCORE:
        raise TokenizerError(f"{where} has the score {entry[1]!r:.40}, which float32 cannot hold")
    return float(entry[1])


def read_t5_json(files: TokenizerFiles, n_vocab: int | None) -> UnigramVocab:
    """The same where the reference reads no tokenizer.json (T5): its rules decide about prefix and spaces."""
    vocab = read_unigram_json(files, n_vocab)
    rules = json_rules(files)
    notes = tuple(note for note in vocab.notes if not note.startswith("tokenizer_config.json decides"))
    return replace(vocab, adds_prefix=rules.adds_prefix, removes_spaces=rules.removes_spaces, notes=notes)


def json_rules(files: TokenizerFiles) -> ModelFacts:
    """How the rules of tokenizer.json treat text, as a SentencePiece model would say it."""
    where = str(files.path(TOKENIZER_JSON))
    stated = files.json(TOKENIZER_JSON) or {}
    charsmap, removes = b"", False
    for rule in flat_rules(stated.get("normalizer"), "normalizers", f"{where}: normalizer"):
        if rule.get("type") == "Precompiled":
            charsmap = _decoded(rule.get("precompiled_charsmap"), f"{where}: precompiled_charsmap")
        pattern = rule.get("pattern")
        removes |= rule.get("type") == "Replace" and isinstance(pattern, dict) and pattern.get("Regex") in _SPACES
    adds = False
    for rule in flat_rules(stated.get("pre_tokenizer"), "pretokenizers", f"{where}: pre_tokenizer"):
        removes |= rule.get("type") == "WhitespaceSplit"
        if rule.get("type") == "Metaspace":
            adds = rule.get("prepend_scheme", "always" if rule.get("add_prefix_space", True) else "never") != "never"
    return ModelFacts(UNIGRAM, charsmap, adds, removes)


def _decoded(stated: Any, where: str) -> bytes:
    if stated is None:
        return b""
    try:
        return base64.b64decode(expect_text(stated, where))
    except (binascii.Error, ValueError) as error:
        raise TokenizerError(f"{where} is not base64: {error}") from error


def _pieces(files: TokenizerFiles, name: str) -> tuple[ModelFacts, TokenTable]:
    pieces = load_spm(files, name)
    facts = unigram_facts(files, name)
    if facts.model_type != UNIGRAM:
        raise TokenizerError(f"{files.path(name)} is not a Unigram model: its kind is number {facts.model_type}")
    ids = range(pieces.vocab_size())
    try:
        tokens = [pieces.IdToPiece(i) for i in ids]
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{files.path(name)} holds a piece that is not UTF-8") from error
    return facts, TokenTable(tokens, [piece_type(pieces, i) for i in ids], [pieces.GetScore(i) for i in ids])


def _padded(files: TokenizerFiles, name: str, table: TokenTable, n_vocab: int | None) -> TokenTable:
    known = len(table.tokens)
    size = check_n_vocab(known if n_vocab is None else n_vocab, f"{files.path('config.json')}: vocab_size")
    if known > size:
        raise TokenizerError(
            f"{files.path(name)} has {known} tokens, but the model has {size}",
            hint="vocab_size in config.json, the embedding and the tokenizer must be of one model",
        )
    more = size - known
    return TokenTable(
        [*table.tokens, *(padding(i) for i in range(known, size))],
        [*table.types, *[TokenType.UNUSED] * more],
        [*(table.scores or ()), *[PAD_SCORE] * more],
    )


def _table_behind(first: tuple[str, ...], table: TokenTable, start: int, stop: int) -> TokenTable:
    """`first`, then the rows of `table` from `start` to `stop`."""
    kinds = [TokenType.UNKNOWN if token == "<unk>" else TokenType.CONTROL for token in first]
    scores = table.scores or ()
    return TokenTable(
        [*first, *table.tokens[start:stop]],
        [*kinds, *table.types[start:stop]],
        [*[0.0] * len(first), *scores[start:stop]],
    )


def _with_facts(table: TokenTable, facts: ModelFacts, notes: tuple[str, ...]) -> UnigramVocab:
    return UnigramVocab(table, facts.adds_prefix, facts.removes_spaces, facts.charsmap, notes)


def with_token(vocab: UnigramVocab, token_id: int, content: str) -> UnigramVocab:
    """The vocabulary with a control token at `token_id`, where there is such an id."""
    table = vocab.table
    if token_id >= len(table.tokens):
        return vocab
    tokens, types, scores = list(table.tokens), list(table.types), list(table.scores or ())
    tokens[token_id], types[token_id], scores[token_id] = content, TokenType.CONTROL, 0.0
    return replace(vocab, table=TokenTable(tokens, types, scores))
