"""WordPiece tokenizers that come as vocab.txt, and the normalizer of BERT's classes.

Source: transformers 4.57.6, models/bert/tokenization_bert.py and tokenization_bert_fast.py, convert_slow_tokenizer.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from ggufpress.errors import TokenizerError
from ggufpress.vocab.added_tokens import content_of
from ggufpress.vocab.tokenizer_files import TokenizerFiles

WORDS_FILE = "vocab.txt"
BERT_TOKENS = {"unk_token": "[UNK]", "sep_token": "[SEP]", "cls_token": "[CLS]"}


def tokenizer_of_words(files: TokenizerFiles, values: Mapping[str, Any], defaults: Mapping[str, str]) -> Any:
    """A `tokenizers.Tokenizer` of vocab.txt, one piece a line, as transformers makes it for BERT.

    `values` are tokenizer_config.json's keys, `defaults` the special tokens where it names none.
    Raises TokenizerError where the file lacks one of them.
    """
    vocab = {line: i for i, line in enumerate(_lines(files.read_text(WORDS_FILE)))}
    unk, cls, sep = (content_of(values.get(key) or defaults[key]) for key in ("unk_token", "cls_token", "sep_token"))
    for token in (unk, cls, sep):
        if token not in vocab:
            raise TokenizerError(f"{files.path(WORDS_FILE)} has no line {token!r}")
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token=unk))
    basic = values.get("do_basic_tokenize", True)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(basic and values.get("tokenize_chinese_chars", True)),
        strip_accents=_optional(values.get("strip_accents")) if basic else False,
        lowercase=bool(basic and values.get("do_lower_case", True)),
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, vocab[cls]), (sep, vocab[sep])],
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def _lines(content: str) -> list[str]:
    lines = content.split("\n")
    return lines[:-1] if not lines[-1] else lines


def rewritten_normalizer(normalizer: Any, values: Mapping[str, Any]) -> Any:
    """The normalizer with the flags of tokenizer_config.json where it is BERT's, else as it is."""
    state = json.loads(normalizer.__getstate__())
    if state.get("type") != "BertNormalizer":
        return normalizer
    return normalizers.BertNormalizer(
        clean_text=bool(state.get("clean_text", True)),
        handle_chinese_chars=bool(values.get("tokenize_chinese_chars", True)),
        strip_accents=_optional(values.get("strip_accents")),
        lowercase=bool(values.get("do_lower_case", True)),
    )


def _optional(value: Any) -> bool | None:
    return None if value is None else bool(value)
