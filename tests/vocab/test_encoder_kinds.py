"""Every recorded folder of an encoder gives the reference's keys, order, types and values."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ggufpress.errors import TokenizerError, UnsupportedError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import pretokenizers, read_vocab
from ggufpress.vocab.pretokenizer_fingerprints import FINGERPRINTS
from tests.tiny_checkpoints import DATA, tokenizer_files
from tests.vocab.conftest import MakeFolder
from tests.vocab.test_read import KnowsAll, packed

CASES: dict[str, dict[str, Any]] = json.loads((DATA / "vocab" / "encoders.json").read_text(encoding="utf-8"))


@cache
def tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "encoder_vocab_cases.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def bases() -> dict[str, bytes]:
    found: dict[str, bytes] = tool().base_files()
    return found


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference(name: str, folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretokenizers, "_NAMES", KnowsAll(FINGERPRINTS))
    case = CASES[name]
    checkpoint = folder(tool().built(case, bases()))
    checkpoint = Checkpoint(checkpoint.root, case["files"]["config.json"], {})
    kind = tool().KINDS[case["class"]]
    n_token_types = None if kind == "t5" else case["n_token_types"]
    vocab = read_vocab(checkpoint, kind, case["n_vocab"], n_token_types=n_token_types)
    assert (
        json.loads(json.dumps([[key, int(value.type), packed(value)] for key, value in vocab.metadata]))
        == case["expected"]
    )


def test_a_cased_bert_that_llama_cpp_does_not_know(folder: MakeFolder) -> None:
    files: dict[str, Any] = dict(tokenizer_files("bert"))
    files["tokenizer_config.json"] = {"tokenizer_class": "BertTokenizer", "do_lower_case": False}
    vocab = read_vocab(folder(files), "wpm", 30522)
    keys = dict(vocab.metadata)
    assert keys["tokenizer.ggml.normalizer.lowercase"].data is False
    assert "tokenizer.ggml.normalizer.strip_accents" not in keys
    assert any("recognised by its rules" in note for note in vocab.notes)


def test_a_roberta_without_tokenizer_json_is_told_of(folder: MakeFolder) -> None:
    files = tool().built(CASES["roberta/merges"], bases())
    notes = read_vocab(Checkpoint(folder(files).root, {}, {}), "roberta", 50304, n_token_types=1).notes
    assert any("byte-level BPE written as WordPiece" in note for note in notes)


def test_camembert_has_ids_of_its_own(folder: MakeFolder) -> None:
    files = {"sentencepiece.bpe.model": dict(tokenizer_files("xlm-roberta"))["sentencepiece.bpe.model"]}
    vocab = read_vocab(folder(files), "camembert", 705, n_token_types=1)
    tokens = dict(vocab.metadata)["tokenizer.ggml.tokens"].data
    assert isinstance(tokens, tuple)
    assert tokens[:7] == ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>")
    assert tokens[704] == "<mask>"


def test_nomics_mask_stands_where_the_model_file_ends(folder: MakeFolder) -> None:
    files = {**dict(tokenizer_files("xlm-roberta-json")), **dict(tokenizer_files("xlm-roberta"))}
    vocab = read_vocab(folder(files), "nomic", 250048, n_token_types=1)
    tokens = dict(vocab.metadata)["tokenizer.ggml.tokens"].data
    assert isinstance(tokens, tuple)
    assert tokens[250001] == "<mask>"


def test_a_t5_without_a_model_file_is_read_from_tokenizer_json(folder: MakeFolder) -> None:
    files: dict[str, Any] = dict(tokenizer_files("xlm-roberta-json"))
    files["tokenizer_config.json"] = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    keys = dict(read_vocab(folder(files), "t5", 704).metadata)
    assert keys["tokenizer.ggml.add_space_prefix"].data is True
    assert keys["tokenizer.ggml.remove_extra_whitespaces"].data is True


@pytest.mark.parametrize("kind", ["xlm-roberta", "camembert", "t5"])
def test_another_model_than_unigram(kind: str, folder: MakeFolder) -> None:
    with pytest.raises(
        TokenizerError, match=r"tokenizer\.json holds a WordPiece model, a Unigram vocabulary was expected"
    ):
        read_vocab(folder({"tokenizer.json": bases()["@bert"]}), kind, 704)


def test_no_tokenizer_at_all(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is missing, a Unigram vocabulary was expected"):
        read_vocab(folder({}), "t5", 704)


def test_jina_wants_to_be_told(folder: MakeFolder) -> None:
    with pytest.raises(
        UnsupportedError, match="tokenizer_class is None, BertTokenizer or RobertaTokenizer was expected"
    ):
        read_vocab(folder({"tokenizer.json": bases()["@bert"]}), "jina-v2", 704)


def test_more_pieces_than_the_model_has(folder: MakeFolder) -> None:
    with pytest.raises(TokenizerError, match=r"spiece\.model has 700 tokens, but the model has 600") as caught:
        read_vocab(folder({"spiece.model": bases()["@t5"]}), "t5", 600)
    assert caught.value.hint
