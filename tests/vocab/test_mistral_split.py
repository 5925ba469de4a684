"""When Mistral's corrected rule replaces a checkpoint's own."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from ggufpress.vocab.mistral_split import replace_first_split, wants_mistral_split

ASKED = {"fix_mistral_regex": True}


@pytest.mark.parametrize(
    ("version", "model_type", "wanted"),
    [
        (None, "llama", True),
        ("4.50.0", "mistral", True),
        ("4.50.0", "llama", False),
        ("4.50.0", None, True),
        ("4.57.2", "llama", False),
        ("4.57.3", "llama", True),
        ("4.58.0.dev0", "llama", True),
        ("5.0.0rc1", "mistral", True),
        ("5.0.0", "mistral", False),
        ("5.1", "mistral", False),
        ("9" * 5000, "mistral", True),
        ("4.50.0", ["mistral"], False),
    ],
)
def test_when_it_is_replaced(version: str | None, model_type: object, wanted: bool) -> None:
    config: dict[str, Any] = {"transformers_version": version, "model_type": model_type}
    assert wants_mistral_split(ASKED, config, 131_072) is wanted
    assert not wants_mistral_split(ASKED, config, 100_000)
    assert not wants_mistral_split({}, config, 131_072)


def test_the_first_rule_is_replaced() -> None:
    tokenizer = Tokenizer(models.BPE())
    single = pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([single, pre_tokenizers.ByteLevel(use_regex=False)])
    assert len(tokenizer.pre_tokenizer.pre_tokenize_str("1234")) == 2
    replace_first_split(tokenizer)
    assert len(tokenizer.pre_tokenizer.pre_tokenize_str("1234")) == 4
