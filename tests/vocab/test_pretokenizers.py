from __future__ import annotations

import hashlib

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.vocab import pretokenizers
from ggufpress.vocab.pretokenizer_fingerprints import CHECK_TEXT, FINGERPRINTS
from ggufpress.vocab.pretokenizers import fingerprint, recognise


def test_table_is_complete() -> None:
    assert len(FINGERPRINTS) == 97
    assert all(len(digest) == 64 and name for digest, name in FINGERPRINTS)
    assert hashlib.sha256(CHECK_TEXT.encode()).hexdigest().startswith("a36179c1")


def test_the_last_name_of_a_fingerprint_holds() -> None:
    names = [name for digest, name in FINGERPRINTS if digest.startswith("b6dc8df9")]
    assert names == ["mpt", "olmo"]
    assert dict(FINGERPRINTS)[next(d for d, n in FINGERPRINTS if n == "mpt")] == "olmo"


def test_fingerprint_is_of_the_list() -> None:
    assert fingerprint((1, 2)) == hashlib.sha256(b"[1, 2]").hexdigest()


def test_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretokenizers, "_NAMES", {fingerprint([1, 2]): "mine"})
    found = recognise([1, 2], {}, "f")
    assert found.name == "mine"
    assert fingerprint([1, 2])[:12] in found.how


def test_unknown_prints_fingerprint_and_rules() -> None:
    rules = {"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "é+"}}}
    with pytest.raises(TokenizerError) as caught:
        recognise([1, 2], rules, "some/tokenizer.json")
    message = str(caught.value)
    assert message.startswith("some/tokenizer.json splits text like no tokenizer that llama.cpp knows")
    assert fingerprint([1, 2]) in message
    assert '{"type": "NFC"}' in message
    assert '{"Regex": "é+"}' in message
    assert caught.value.hint
