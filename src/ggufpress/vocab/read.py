"""The one entry: tokenizer files in, `tokenizer.*` metadata out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from ggufpress.errors import UnsupportedError, UsageError
from ggufpress.gguf.values import Metadata, Value, flag, text
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.bpe import read_bpe
from ggufpress.vocab.encoder_kinds import CHOOSE, READ, with_token_types
from ggufpress.vocab.family_kinds import FAMILY_KINDS, FamilyKind
from ggufpress.vocab.mixture_kinds import MIXTURE_KINDS
from ggufpress.vocab.plamo import plamo, plamo3
from ggufpress.vocab.pretokenizer_rules import ADDING_BOS
from ggufpress.vocab.rwkv import rwkv
from ggufpress.vocab.special import special_metadata
from ggufpress.vocab.spm import MODEL_FILE, read_spm
from ggufpress.vocab.spm_from_json import is_spm_json, read_spm_json
from ggufpress.vocab.tekken import TEKKEN_FILE, read_tekken
from ggufpress.vocab.tiktoken_files import find_rank_file, read_ranked
from ggufpress.vocab.token_table import TokenTable
from ggufpress.vocab.tokenizer_files import TokenizerFiles

CODE_LLAMA_N_VOCAB = 32016
CODE_LLAMA_IDS = {"prefix": 32007, "suffix": 32008, "middle": 32009, "eot": 32010}
GRANITE_N_VOCAB = 49152
OWN_RANKS = ("llama", "hunyuan", "hunyuan-eod", "kimi-k3")
"""Kinds that have their own way with a file of ranks."""


@dataclass(frozen=True)
class Vocab:
    """A vocabulary as GGUF metadata.

    `kind` is how the files were read (spm, spm-json or bpe), `metadata` the `tokenizer.*` keys in file order, `n_vocab`
    the number of tokens in it, `notes` what a person may want to know about how it was recognised.
    """

    kind: str
    metadata: tuple[tuple[str, Value], ...]
    n_vocab: int
    notes: tuple[str, ...] = ()


def read_vocab(
    checkpoint: Checkpoint,
    kind: str = "llama",
    n_vocab: int | None = None,
    *,
    n_token_types: int | None = None,
    pre: str | None = None,
) -> Vocab:
    """The vocabulary of `checkpoint` as llama.cpp's converter writes it.

    `kind` is one of KINDS, or of the families in encoder_kinds.CHOOSE. `n_vocab` is the config's vocab_size after the
    defaults of its class, None where it has none; `n_token_types` the number of segment kinds of an encoder; `pre` the
    pre-tokenizer, None where it is to be recognised.
    Raises TokenizerError where the files are missing, broken or contradictory, UnsupportedError for kinds to come.
    """
    files = TokenizerFiles(checkpoint, pre)
    vocab = _read_files(files, kind, n_vocab, n_token_types)
    if pre is not None and dict(vocab.metadata).get("tokenizer.ggml.pre") != text(pre):
        raise UsageError(
            f"--pre {pre} is for byte-level BPE: the vocabulary of {checkpoint.root} is of the kind {vocab.kind}"
        )
    return vocab


def _read_files(files: TokenizerFiles, kind: str, n_vocab: int | None, n_token_types: int | None) -> Vocab:
    if kind not in OWN_RANKS and (ranked := find_rank_file(files)) is not None:
        metadata, n_tokens, notes = read_ranked(files, ranked, n_vocab)
        return Vocab("ranks", tuple(metadata.items()), n_tokens, notes)
    chosen = CHOOSE[kind](files) if kind in CHOOSE else kind
    read = KINDS.get(chosen)
    if read is None:
        raise UsageError(f"{kind} is no kind of tokenizer; known are {', '.join(KINDS)}")
    vocab = read(files, n_vocab)
    if n_token_types is None:
        return vocab
    metadata = with_token_types(dict(vocab.metadata), n_token_types, wordpiece=chosen == "wpm", fixed=kind == "jina-v2")
    return replace(vocab, metadata=tuple(metadata.items()))


def _read(
    files: TokenizerFiles, n_vocab: int | None, *, kind: str, read: Callable[..., tuple[Metadata, tuple[str, ...]]]
) -> Vocab:
    metadata, notes = read(files, n_vocab=n_vocab)
    tokens = metadata["tokenizer.ggml.tokens"].data
    return Vocab(kind, tuple(metadata.items()), len(tokens) if isinstance(tokens, tuple) else 0, notes)


def _spm(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    table, notes = read_spm(files, n_vocab)
    return _vocab("spm", files, table, notes)


def _spm_json(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    del n_vocab  # The reference does not look at it: this vocabulary is never padded.
    table, notes = read_spm_json(files)
    return _vocab("spm-json", files, table, notes)


def _vocab(kind: str, files: TokenizerFiles, table: TokenTable, notes: tuple[str, ...]) -> Vocab:
    n_tokens = len(table.tokens)
    out: Metadata = {"tokenizer.ggml.model": text("llama"), "tokenizer.ggml.pre": text("default")}
    out.update(table.metadata())
    out.update(special_metadata(files, n_vocab=n_tokens))
    return Vocab(kind, tuple(out.items()), n_tokens, notes)


def _bpe(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    table, pre, notes = read_bpe(files, n_vocab)
    out: Metadata = {"tokenizer.ggml.model": text("gpt2"), "tokenizer.ggml.pre": text(pre.name)}
    out.update(table.metadata())
    out.update(special_metadata(files, load_merges=True))
    if not pre.known and pre.name in ADDING_BOS:
        # a tokenizer that says nothing adds nothing
        out.setdefault("tokenizer.ggml.add_bos_token", flag(False))
    return Vocab("bpe", tuple(out.items()), len(table.tokens), notes)


def _llama(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    """What the Llama family does: SentencePiece where there is any, else byte-level BPE.

    Source: conversion/llama.py, LlamaModel.set_vocab.
    """
    config = files.json("tokenizer_config.json") or {}
    if files.has(TEKKEN_FILE) and not files.has("tokenizer.json"):
        return _read(files, n_vocab, kind="tekken", read=read_tekken)
    if config.get("tokenizer_class") == "HybridDNATokenizer":
        raise UnsupportedError(f"{files.path('tokenizer_config.json')}: HybridDNATokenizer cannot be read yet")
    if files.has(MODEL_FILE):
        vocab = _spm(files, n_vocab)
    elif is_spm_json(files):
        vocab = _spm_json(files, n_vocab)
    else:
        vocab = _bpe(files, n_vocab)

    out: Metadata = {}
    if (prefix := config.get("add_prefix_space")) is not None:
        out["tokenizer.ggml.add_space_prefix"] = flag(bool(prefix))
    out.update(vocab.metadata)
    if n_vocab == CODE_LLAMA_N_VOCAB:
        out.update(special_metadata(files, token_types=tuple(CODE_LLAMA_IDS), fixed_ids=CODE_LLAMA_IDS))
    if n_vocab == GRANITE_N_VOCAB:
        out["tokenizer.ggml.add_bos_token"] = flag(False)
    return Vocab(vocab.kind, tuple(out.items()), vocab.n_vocab, vocab.notes)


def _bpe_or_spm(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    """Byte-level BPE where there is a tokenizer.json, else SentencePiece."""
    return _spm(files, n_vocab) if files.has(MODEL_FILE) and not files.has("tokenizer.json") else _bpe(files, n_vocab)


def _jamba(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    """SentencePiece, from tokenizer.json where there is no tokenizer.model: no space before a text then."""
    if files.has(MODEL_FILE):
        return _spm(files, n_vocab)
    vocab = _spm_json(files, n_vocab)
    out = {**dict(vocab.metadata), "tokenizer.ggml.add_space_prefix": flag(False)}
    return Vocab(vocab.kind, tuple(out.items()), vocab.n_vocab, vocab.notes)


def _spm_or_bpe(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    """SentencePiece where there is a tokenizer.model, else byte-level BPE."""
    return _spm(files, n_vocab) if files.has(MODEL_FILE) else _bpe(files, n_vocab)


def _of_family(read: FamilyKind) -> Callable[[TokenizerFiles, int | None], Vocab]:
    def vocab(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
        kind, metadata, n_tokens, notes = read(files, n_vocab)
        return Vocab(kind, tuple(metadata.items()), n_tokens, notes)

    return vocab


def _none(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    """No vocabulary: the model reads and writes other things than text."""
    del files, n_vocab
    return Vocab("none", (("tokenizer.ggml.model", text("none")),), 0)


KINDS: Mapping[str, Callable[[TokenizerFiles, int | None], Vocab]] = {
    "llama": _llama,
    "spm": _spm,
    "spm-json": _spm_json,
    "bpe": _bpe,
    **{kind: partial(_read, kind=kind, read=read) for kind, read in READ.items()},
    "tekken": partial(_read, kind="tekken", read=read_tekken),
    "bpe-or-spm": _bpe_or_spm,
    "jamba": _jamba,
    "none": _none,
    "spm-or-bpe": _spm_or_bpe,
    "rwkv": _of_family(rwkv),
    "plamo": _of_family(plamo),
    "plamo3": _of_family(plamo3),
    **{name: _of_family(read) for name, read in (*FAMILY_KINDS.items(), *MIXTURE_KINDS.items())},
}
"""How to read a vocabulary, by the name that an architecture gives. A new kind is a file and a line here."""
