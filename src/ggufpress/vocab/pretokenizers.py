"""Which name llama.cpp has for the way a byte-level BPE splits text before it merges."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.vocab.pretokenizer_fingerprints import FINGERPRINTS

_NAMES = dict(FINGERPRINTS)

RULES = ("normalizer", "pre_tokenizer")
"""The keys of tokenizer.json that decide how text is split."""


@dataclass(frozen=True, slots=True)
class PreTokenizer:
    """A pre-tokenizer by llama.cpp's name, and how we know that it is the one."""

    name: str
    how: str


def fingerprint(ids: Sequence[int]) -> str:
    """The sha256 of `ids`: what the tokenizer makes of CHECK_TEXT, with the special tokens that it adds."""
    return hashlib.sha256(str(list(ids)).encode()).hexdigest()


def recognise(ids: Sequence[int], rules: Mapping[str, Any], where: str) -> PreTokenizer:
    """The pre-tokenizer that makes `ids` of CHECK_TEXT.

    `rules` holds what tokenizer.json states under RULES; `where` is the file, for the message.
    Raises TokenizerError that prints the rules where no known tokenizer gives these ids.
    """
    digest = fingerprint(ids)
    if (name := _NAMES.get(digest)) is not None:
        return PreTokenizer(name, f"pre-tokenizer {name}: fingerprint {digest[:12]} is known to llama.cpp")
    stated = ", ".join(f"{key} {json.dumps(rules.get(key), ensure_ascii=False)}" for key in RULES)
    raise TokenizerError(
        f"{where} splits text like no tokenizer that llama.cpp knows: fingerprint {digest}, {stated}",
        hint="if only its special tokens are new, the tokenizer files of the base model are recognised",
    )
