"""llama.cpp with the vocabulary that we write, and the library that the source files are for, cut texts alike."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import read_vocab
from ggufpress.vocab.merges_files import QWEN2_SPLIT
from tests.tiny_checkpoints import DATA, tokenizer_files
from tests.vocab import ranks
from tests.vocab.hard_texts import HARD_TEXTS
from tests.vocab.llama_cpp import loaded, write_vocab

Encode = Callable[[str], list[int]]


def of_json(folder: Path) -> Encode:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def of_json_with_specials(folder: Path) -> Encode:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda text: tokenizer.encode(text).ids


def of_model(name: str, place: Callable[[int], int] = lambda token_id: token_id) -> Callable[[Path], Encode]:
    def load(folder: Path) -> Encode:
        pieces = SentencePieceProcessor(str(folder / name))
        return lambda text: [place(token_id) for token_id in pieces.encode(text)]

    return load


def bundled(name: str) -> dict[str, bytes]:
    return dict(tokenizer_files(name))


def cut_down(name: str) -> dict[str, bytes]:
    return {"tokenizer.json": (DATA / "vocab" / f"{name}.json").read_bytes()}


CASES: dict[str, tuple[dict[str, bytes], str, int, Callable[[Path], Encode]]] = {
    "byte-level BPE, gpt-2": (bundled("gpt-2"), "bpe", 50304, of_json),
    "byte-level BPE, llama-bpe": (cut_down("llama-bpe"), "bpe", 128256, of_json),
    "byte-level BPE, deepseek-llm": (cut_down("deepseek-llm"), "bpe", 102400, of_json),
    "SentencePiece BPE": (bundled("bard"), "spm", 2048, of_model("tokenizer.model")),
    "WordPiece": (bundled("bert"), "wpm", 30522, of_json),
    "Unigram, T5": (bundled("t5"), "t5", 720, of_model("spiece.model")),
    "Unigram, tokenizer.json": (bundled("xlm-roberta-json"), "xlm-roberta", 704, of_json),
    "Unigram, tokenizer.json of T5": (bundled("xlm-roberta-json"), "t5", 704, of_json),
    "Unigram, XLM-RoBERTa's model file": (
        bundled("xlm-roberta-json") | bundled("xlm-roberta"), "xlm-roberta", 704,
        of_model("sentencepiece.bpe.model", lambda token_id: token_id + 1 if token_id > 2 else 3),
    ),
    "tekken": ({"tekken.json": json.dumps(ranks.tekken()).encode()}, "llama", 344,
               lambda _: lambda text: [24 + rank for rank in ranks.encode(text)]),
    "ranks, Qwen": ({"qwen.tiktoken": ranks.rank_lines().encode()}, "bpe", 600,
                    lambda _: lambda text: ranks.encode(text, QWEN2_SPLIT)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_same_ids(name: str, tmp_path: Path) -> None:
    files, kind, n_vocab, load = CASES[name]
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    vocab = read_vocab(Checkpoint(tmp_path, {}, {}), kind, n_vocab)
    encode = load(tmp_path)
    with loaded(write_vocab(vocab, tmp_path / "vocab.gguf")) as written:
        for text in HARD_TEXTS:
            assert written.encode(text) == encode(text), f"{name}: {text!r}"


def test_llama_cpp_composes_no_characters_but_else_cuts_alike(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(cut_down("qwen2")["tokenizer.json"])
    vocab = read_vocab(Checkpoint(tmp_path, {}, {}), "bpe", 151936)
    encode = of_json(tmp_path)
    with loaded(write_vocab(vocab, tmp_path / "vocab.gguf")) as written:
        for text in HARD_TEXTS:
            assert written.encode(unicodedata.normalize("NFC", text)) == encode(text), text


@pytest.mark.parametrize(
    ("name", "kind", "n_vocab"), [("bert", "wpm", 30522), ("xlm-roberta-json", "xlm-roberta", 704)]
)
def test_texts_begin_and_end_alike(name: str, kind: str, n_vocab: int, tmp_path: Path) -> None:
    for file, content in tokenizer_files(name):
        (tmp_path / file).write_bytes(content)
    vocab = read_vocab(Checkpoint(tmp_path, {}, {}), kind, n_vocab, n_token_types=1)
    encode = of_json_with_specials(tmp_path)
    with loaded(write_vocab(vocab, tmp_path / "vocab.gguf")) as written:
        for text in HARD_TEXTS[5:12]:
            assert written.encode(text, add_special=True) == encode(text)


@pytest.mark.parametrize("content", [b"\xff\xfe\x80abc", b"caf\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80 x"])
def test_bytes_that_are_no_text_keep_their_number(content: bytes, tmp_path: Path) -> None:
    """No library gives ids for these: they are cut as the text that llama.cpp reads in them."""
    (tmp_path / "tokenizer.json").write_bytes(cut_down("gpt-2")["tokenizer.json"])
    vocab = read_vocab(Checkpoint(tmp_path, {}, {}), "bpe", 50304)
    encode = of_json(tmp_path)
    with loaded(write_vocab(vocab, tmp_path / "vocab.gguf")) as written:
        ids = written.encode(content)
        assert ids
        assert written.encode(content + b" tail")[-1] == encode(" tail")[-1]
