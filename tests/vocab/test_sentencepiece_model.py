from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.errors import TokenizerError
from ggufpress.vocab.sentencepiece_model import BPE, UNIGRAM, ModelFacts, read_facts
from tests.tiny_checkpoints import BARD, tokenizer_files


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def test_a_unigram_model() -> None:
    facts = read_facts(dict(tokenizer_files("t5"))["spiece.model"], "f")
    assert (facts.model_type, facts.adds_prefix, facts.removes_spaces) == (UNIGRAM, True, True)
    assert len(facts.charsmap) > 1000


def test_a_bpe_model() -> None:
    assert read_facts((BARD / "tokenizer.model").read_bytes(), "f").model_type == BPE


def test_what_is_not_stated_has_a_default() -> None:
    assert read_facts(b"", "f") == ModelFacts(UNIGRAM, b"", True, True)


def test_all_fields() -> None:
    normalizer = (
        field(1, b"name") + field(2, b"\x01\x02") + field(3, 0) + field(4, 0) + b"\x59" + bytes(8) + b"\x5d" + bytes(4)
    )
    content = field(1, b"piece") + field(2, field(3, 2)) + field(3, normalizer)
    assert read_facts(content, "f") == ModelFacts(BPE, b"\x01\x02", False, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x0a\xff", "cut within a number"),
        (b"\x0a\x05abc", "cut within a field at byte 2"),
        (b"\x0b", "a field of kind 3 at byte 1"),
        (b"\xff" * 20, "cut within a number"),
        (field(2, b"\x1a\x09"), "cut within a field"),
    ],
)
def test_broken_content(content: bytes, message: str) -> None:
    with pytest.raises(TokenizerError, match=f"^f is not a SentencePiece model: .*{message}"):
        read_facts(content, "f")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    facts = None
    with suppress(TokenizerError):
        facts = read_facts(content, "f")
    assert facts is None or len(facts.charsmap) <= len(content)
