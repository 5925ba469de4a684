from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.metadata.model_name import NameParts, split_model_id, title


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("TinyLlama-1.1B-Chat-v1.0", NameParts("TinyLlama-1.1B-Chat-v1.0", None, "TinyLlama", "Chat", "v1.0", "1.1B")),
        ("meta-llama/Llama-2-7b", NameParts("Llama-2-7b", "meta-llama", "Llama-2", None, None, "7B")),
        ("bloom-7b1", NameParts("bloom-7b1", None, "bloom", None, None, "7.1B")),
        ("./Llama-7b", NameParts("Llama-7b", None, "Llama", None, None, "7B")),
        ("x-8x7B-large", NameParts("x-8x7B-large", None, "x", "large", None, "8x7B")),
        ("gpt2", NameParts("gpt2")),
        ("A Sentence 7B", NameParts("A Sentence 7B")),
        ("", NameParts("")),
    ],
)
def test_parts(model_id: str, expected: NameParts) -> None:
    assert split_model_id(model_id) == expected


@pytest.mark.parametrize(
    ("n_params", "size", "finetune"), [(0, "262K", None), (8_000_000_000, None, "262k"), (300_000, "262K", None)]
)
def test_a_size_far_from_the_count_is_a_context_length(n_params: int, size: str | None, finetune: str | None) -> None:
    parts = split_model_id("Llama-262k", n_params)
    assert (parts.size_label, parts.finetune) == (size, finetune)


def test_title() -> None:
    assert title("tiny-llama-1.1b-v1-GPTQ") == "Tiny Llama 1.1b v1 GPTQ"


@given(st.text(alphabet="ab7BKvx.-_/ 12é٣", max_size=30), st.integers(-(10**12), 10**12))
def test_any_name_has_parts(model_id: str, n_params: int) -> None:
    parts = split_model_id(model_id, n_params)
    assert model_id.endswith(parts.full)
    assert "" not in (parts.basename, parts.finetune, parts.version, parts.size_label)
