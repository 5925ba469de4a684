"""The corrected splitting rule of Mistral's larger tokenizers, which a checkpoint may ask for.

Some were published with Llama 3's rule. transformers replaces it where tokenizer_config.json has fix_mistral_regex.
Source: transformers 4.57.6, tokenization_utils_base.py, _patch_mistral_regex.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tokenizers import Regex, pre_tokenizers

MISTRAL_SPLIT = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_MODEL_TYPES = frozenset({"mistral", "mistral3", "voxtral", "ministral", "pixtral"})
_MIN_N_VOCAB = 100_000
_VERSION = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?!\d)(.*)")


def wants_mistral_split(values: Mapping[str, Any], config: Mapping[str, Any], n_base: int) -> bool:
    """Whether the rule is replaced: asked for in `values`, and not a model saved before or after the mistake.

    `values` are tokenizer_config.json's keys, `config` config.json's; `n_base` counts the tokens without added ones.
    """
    if not values.get("fix_mistral_regex") or n_base <= _MIN_N_VOCAB:
        return False
    version = _parsed(config.get("transformers_version"))
    if version is None:
        return True
    if version <= (4, 57, 2, 1):
        return config.get("model_type") is None or str(config["model_type"]) in _MODEL_TYPES
    return version < (5, 0, 0, 1)


def _parsed(version: Any) -> tuple[int, int, int, int] | None:
    """Three numbers, and 0 for what comes before that release (4.58.0.dev0) or 1; None where it is no version."""
    if not isinstance(version, str) or not (found := _VERSION.match(version)):
        return None
    major, minor, micro, rest = found.groups()
    return int(major), int(minor or 0), int(micro or 0), 0 if re.match(r"\.?(dev|a|b|rc)", rest) else 1


def replace_first_split(backend: Any) -> None:
    """Replace the first rule of the tokenizer's pre-tokenizer sequence by Mistral's. Raises TypeError without one."""
    backend.pre_tokenizer[0] = pre_tokenizers.Split(Regex(MISTRAL_SPLIT), behavior="isolated")
