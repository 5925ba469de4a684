"""Byte-level BPE tokenizers that come as vocab.json and merges.txt, without a tokenizer.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from ggufpress.errors import TokenizerError
from ggufpress.vocab.added_tokens import TokenSettings, content_of
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_id

VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Source: transformers 4.57.6, convert_slow_tokenizer.py, Qwen2Converter."""


ROBERTA_ENDS = {"cls": "<s>", "sep": "</s>"}
"""Source: transformers 4.57.6, models/roberta/tokenization_roberta.py."""


def has_merges_files(files: TokenizerFiles) -> bool:
    """Whether both files are there."""
    return files.has(VOCAB_FILE) and files.has(MERGES_FILE)


def tokenizer_of_merges_files(files: TokenizerFiles, rules: str, settings: TokenSettings) -> Any:
    """A `tokenizers.Tokenizer` with the rules "gpt2", "roberta" or "qwen2", as transformers makes it of the two files.

    Its added tokens are not in it yet. Raises TokenizerError where the files are broken or contradictory.
    """
    vocab = files.json(VOCAB_FILE) or {}
    ids = {token: expect_id(token_id, f"{files.path(VOCAB_FILE)}: {token!r}") for token, token_id in vocab.items()}
    lines = files.read_text(MERGES_FILE).split("\n")
    merges = list(dict.fromkeys(_pair(files, line) for line in _MERGE_LINES[rules](lines)))
    try:
        model = models.BPE(
            vocab=ids, merges=merges, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False
        )
    except Exception as error:
        raise TokenizerError(f"{files.path(MERGES_FILE)} and {VOCAB_FILE} do not fit: {error}") from error
    tokenizer = Tokenizer(model)
    tokenizer.decoder = decoders.ByteLevel()
    prefix = bool(settings.values.get("add_prefix_space", False))
    if rules == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated", invert=False)
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    if rules == "roberta":
        _put_between(files, tokenizer, ids, settings)
    if rules == "gpt2" and settings.values.get("add_bos_token"):
        _begin_with_bos(files, tokenizer, ids, settings)
    return tokenizer


def _pair(files: TokenizerFiles, line: str) -> tuple[str, str]:
    parts = line.split()
    if len(parts) != 2:
        raise TokenizerError(f"{files.path(MERGES_FILE)} has the line {line!r}, which is no pair of tokens")
    return parts[0], parts[1]


def _gpt2_lines(lines: list[str]) -> list[str]:
    # The first line is taken for the version, whatever it is.
    return lines[1:-1]


def _qwen2_lines(lines: list[str]) -> list[str]:
    first = 1 if lines[0].strip().startswith("#version:") else 0
    return [line for line in lines[first:] if line.strip()]


_MERGE_LINES: Mapping[str, Callable[[list[str]], list[str]]] = {
    "gpt2": _gpt2_lines,
    "roberta": _gpt2_lines,
    "qwen2": _qwen2_lines,
}


def _put_between(files: TokenizerFiles, tokenizer: Any, ids: Mapping[str, int], settings: TokenSettings) -> None:
    """Let each text begin and end as RoBERTa's do. Raises TokenizerError where vocab.json lacks the two tokens."""
    ids = {**ids, **{content_of(token): token_id for token_id, token in settings.by_id.items()}}
    cls, sep = (content_of(settings.values.get(f"{key}_token") or default) for key, default in ROBERTA_ENDS.items())
    for token in (cls, sep):
        if token not in ids:
            raise TokenizerError(
                f"{files.path(VOCAB_FILE)} has no token {token!r}, with which RoBERTa's texts begin or end"
            )
    prefix = bool(settings.values.get("add_prefix_space", False))
    tokenizer.post_processor = processors.RobertaProcessing((sep, ids[sep]), (cls, ids[cls]), True, prefix)


def _begin_with_bos(files: TokenizerFiles, tokenizer: Any, ids: Mapping[str, int], settings: TokenSettings) -> None:
    bos = content_of(settings.values.get("bos_token") or "<|endoftext|>")
    ids = {**ids, **{content_of(token): token_id for token_id, token in settings.by_id.items()}}
    # A BOS that is no token yet is the first to be added.
    bos_id = ids.get(bos, len(ids))
    try:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos}:0 $A:0", pair=f"{bos}:0 $A:0 $B:1", special_tokens=[(bos, bos_id)]
        )
    except ValueError as error:
        raise TokenizerError(
            f"{files.path('tokenizer_config.json')}: bos_token {bos!r} cannot be added: {error}"
        ) from error
