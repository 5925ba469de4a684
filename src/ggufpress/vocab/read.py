"""The one entry: tokenizer files in, `tokenizer.*` metadata out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ggufpress.errors import UnsupportedError, UsageError
from ggufpress.gguf.values import Metadata, Value, flag, text
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.bpe import read_bpe
from ggufpress.vocab.family_kinds import FAMILY_KINDS, FamilyKind
from ggufpress.vocab.mixture_kinds import MIXTURE_KINDS
from ggufpress.vocab.plamo import plamo, plamo3
from ggufpress.vocab.rwkv import rwkv
from ggufpress.vocab.special import special_metadata
from ggufpress.vocab.spm import MODEL_FILE, read_spm
from ggufpress.vocab.spm_from_json import is_spm_json, read_spm_json
from ggufpress.vocab.token_table import TokenTable
from ggufpress.vocab.tokenizer_files import TokenizerFiles

CODE_LLAMA_N_VOCAB = 32016
CODE_LLAMA_IDS = {"prefix": 32007, "suffix": 32008, "middle": 32009, "eot": 32010}
GRANITE_N_VOCAB = 49152


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


def read_vocab(checkpoint: Checkpoint, kind: str = "llama", n_vocab: int | None = None) -> Vocab:
    """The vocabulary of `checkpoint` as llama.cpp's converter writes it.

    `kind` is one of KINDS. `n_vocab` is the config's vocab_size after the defaults of its class, None where it has none.
    Raises TokenizerError where the files are missing, broken or contradictory, UnsupportedError for kinds to come.
    """
    read = KINDS.get(kind)
    if read is None:
        raise UsageError(f"{kind} is no kind of tokenizer; known are {', '.join(KINDS)}")
    return read(TokenizerFiles(checkpoint), n_vocab)


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
    return Vocab("bpe", tuple(out.items()), len(table.tokens), notes)


def _llama(files: TokenizerFiles, n_vocab: int | None) -> Vocab:
    """What the Llama family does: SentencePiece where there is any, else byte-level BPE.

    Source: conversion/llama.py, LlamaModel.set_vocab.
    """
    config = files.json("tokenizer_config.json") or {}
    if files.has("tekken.json") and not files.has("tokenizer.json"):
        raise UnsupportedError(
            f"{files.path('tekken.json')} is a Mistral tokenizer, which ggufpress cannot read yet",
            hint="many repositories have the same tokenizer as tokenizer.json: put that file beside it",
        )
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


KINDS: Mapping[str, Callable[[TokenizerFiles, int | None], Vocab]] = {
    "llama": _llama,
    "spm": _spm,
    "spm-json": _spm_json,
    "bpe": _bpe,
    "bpe-or-spm": _bpe_or_spm,
    "jamba": _jamba,
    "spm-or-bpe": _spm_or_bpe,
    "rwkv": _of_family(rwkv),
    "plamo": _of_family(plamo),
    "plamo3": _of_family(plamo3),
    **{name: _of_family(read) for name, read in (*FAMILY_KINDS.items(), *MIXTURE_KINDS.items())},
}
"""How to read a vocabulary, by the name that an architecture gives. A new kind is a file and a line here."""
