"""Every recorded folder gives the reference's keys, order, types and values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ggufpress.errors import TokenizerError, UnsupportedError, UsageError
from ggufpress.gguf.values import Value, ValueType
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import pretokenizers, read_vocab
from ggufpress.vocab.pretokenizer_fingerprints import FINGERPRINTS
from tests.vocab.ranks import tekken

DATA = Path(__file__).parent.parent / "data" / "vocab"
CASES: dict[str, dict[str, Any]] = json.loads((DATA / "cases.json").read_text(encoding="utf-8"))

CONVERTED_THOUGH = {"deepseek-llm/prefix space", "llama-fast/prefix space"}
"""The reference wants a tokenizer.model for these; tokenizer.json says all."""

MakeFolder = Callable[..., Checkpoint]


class KnowsAll(dict[str, str]):
    """Names by fingerprint where llama.cpp knows one, else the fingerprint, which the recorder writes, too."""

    def get(self, digest: str, default: Any = None) -> str:
        return super().get(digest, digest)


@pytest.fixture
def any_pretokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretokenizers, "_NAMES", KnowsAll(FINGERPRINTS))


def packed(value: Value) -> Any:
    if value.type is not ValueType.ARRAY:
        return value.data
    assert isinstance(value.data, tuple)
    items = [int(item) if isinstance(item, int) else item for item in value.data]
    if len(items) <= 16:
        return items
    return {"items": len(items), "sha256": hashlib.sha256(json.dumps(items, ensure_ascii=False).encode()).hexdigest()}


@pytest.mark.usefixtures("any_pretokenizer")
@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference(name: str, folder: MakeFolder, spm_model: bytes) -> None:
    case, converted_though = CASES[name], name in CONVERTED_THOUGH
    files = dict(case["files"])
    if base := case.get("base"):
        content = json.loads((DATA / f"{base}.json").read_text(encoding="utf-8"))
        files["tokenizer.json"] = {**content, **case.get("tokenizer", {})}
    if case.get("spm"):
        files["tokenizer.model"] = spm_model
    checkpoint = folder(files)
    expected = case["expected"]
    if isinstance(expected, str) and not converted_though:
        with pytest.raises(TokenizerError, match=r"\.json"):
            read_vocab(checkpoint, n_vocab=case["n_vocab"])
        return
    vocab = read_vocab(checkpoint, n_vocab=case["n_vocab"])
    metadata = dict(vocab.metadata)
    assert metadata["tokenizer.ggml.tokens"].data
    if not converted_though:
        assert [[key, int(value.type), packed(value)] for key, value in vocab.metadata] == expected


def test_there_are_cases_of_each_kind() -> None:
    kinds = {"spm", "template", "chat", "normalizer", "gpt-2", "llama-bpe", "qwen2", "llama-fast"}
    assert kinds <= {name.replace("/", " ").split()[0] for name in CASES}
    assert len(CASES) > 100


@pytest.mark.parametrize(
    ("name", "pre", "kind"),
    [("gpt-2", "gpt-2", "bpe"), ("llama-bpe", "llama-bpe", "bpe"), ("qwen2", "qwen2", "bpe")],
)
def test_known_pretokenizers(name: str, pre: str, kind: str, folder: MakeFolder, tokenizer_json: Any) -> None:
    checkpoint = folder(
        {"tokenizer.json": tokenizer_json(name), "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}}
    )
    if name == "qwen2":
        checkpoint = folder({"tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer"}})
    if name == "llama-bpe":
        checkpoint = folder({"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}})
    vocab = read_vocab(checkpoint, n_vocab=152000)
    assert dict(vocab.metadata)["tokenizer.ggml.pre"].data == pre
    assert vocab.kind == kind
    assert vocab.n_vocab == 152000
    assert any("fingerprint" in note for note in vocab.notes)


def test_tekken_counts_where_there_is_no_tokenizer_json(folder: MakeFolder, tokenizer_json: Any) -> None:
    assert read_vocab(folder({"tekken.json": tekken()}), n_vocab=344).kind == "tekken"
    both = {"tekken.json": tekken(), "tokenizer.json": tokenizer_json("gpt-2")}
    assert read_vocab(folder(both), n_vocab=50304).kind == "bpe"


def test_a_stated_pretokenizer_is_for_byte_level_bpe(folder: MakeFolder, spm_model: bytes) -> None:
    with pytest.raises(UsageError, match=r"--pre gpt-2 is for byte-level BPE: the vocabulary of .* is of the kind spm"):
        read_vocab(folder({"tokenizer.model": spm_model}), n_vocab=400, pre="gpt-2")


def test_hybrid_dna_is_refused(folder: MakeFolder, spm_model: bytes) -> None:
    files = {"tokenizer.model": spm_model, "tokenizer_config.json": {"tokenizer_class": "HybridDNATokenizer"}}
    with pytest.raises(UnsupportedError, match="HybridDNATokenizer"):
        read_vocab(folder(files))


def test_unknown_kind(folder: MakeFolder) -> None:
    with pytest.raises(UsageError, match="wordpiece is no kind of tokenizer; known are llama, spm"):
        read_vocab(folder({}), kind="wordpiece")


def test_no_tokenizer_says_what_was_looked_for(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer\.model, tokenizer\.json, vocab\.json with merges\.txt"):
        read_vocab(folder({"config.json": {}}))
