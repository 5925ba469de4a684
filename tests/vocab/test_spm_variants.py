from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import read_vocab
from ggufpress.vocab.builtin import llama_2
from tests.tiny_checkpoints import BARD

N_PIECES = 2048


def checkpoint(folder: Path, files: dict[str, Any]) -> Checkpoint:
    (folder / "tokenizer.model").write_bytes((BARD / "tokenizer.model").read_bytes())
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return Checkpoint(folder, {}, {})


def stated(token_id: int, content: str, special: bool = True) -> dict[str, Any]:
    return {"added_tokens_decoder": {str(token_id): {"content": content, "special": special}}}


@pytest.mark.parametrize("kind", ["phi3", "internlm2"])
def test_more_pieces_than_the_model_has_or_fewer(kind: str, tmp_path: Path) -> None:
    size = {"phi3": N_PIECES - 1, "internlm2": N_PIECES + 1}[kind]
    with pytest.raises(TokenizerError, match=f"has {N_PIECES} pieces, but the model has {size} tokens"):
        read_vocab(checkpoint(tmp_path, {}), kind, size)


@pytest.mark.parametrize("kind", ["phi3", "internlm2"])
def test_an_added_token_beyond_the_vocabulary(kind: str, tmp_path: Path) -> None:
    message = "tokenizer_config.json: added_tokens_decoder['5000'] has the id 5000"
    with pytest.raises(TokenizerError, match=re.escape(message)):
        read_vocab(checkpoint(tmp_path, {"tokenizer_config.json": stated(5000, "<x>")}), kind, N_PIECES)


def test_phi3_takes_added_tokens_as_they_are_marked(tmp_path: Path) -> None:
    files = {
        "tokenizer_config.json": stated(2048, "<|looks special|>", special=False),
        "tokenizer.json": {"added_tokens": [{"id": 2049, "content": "<y>", "special": True}]},
    }
    keys = dict(read_vocab(checkpoint(tmp_path, files), "phi3", N_PIECES + 2).metadata)
    tokens, types = keys["tokenizer.ggml.tokens"].data, keys["tokenizer.ggml.token_type"].data
    assert isinstance(tokens, tuple)
    assert isinstance(types, tuple)
    assert (tokens[-2:], types[-2:]) == (("<|looks special|>", "<y>"), (4, 3))


@pytest.mark.parametrize(
    ("kind", "special", "config", "eos"),
    [
        ("internlm2", False, {}, 9), ("internlm2", True, {"eos_token_id": 2}, 9), ("internlm3", True, {"eos_token_id": 2}, 9),
        ("internlm3", False, {"eos_token_id": 2}, 2), ("internlm3", True, {}, None),
    ],
)  # fmt: skip
def test_what_ends_a_text(kind: str, special: bool, config: dict[str, Any], eos: int | None, tmp_path: Path) -> None:
    found = checkpoint(tmp_path, {"tokenizer_config.json": stated(9, "<|im_end|>", special)})
    keys = dict(read_vocab(Checkpoint(found.root, config, {}), kind, N_PIECES).metadata)
    value = keys.get("tokenizer.ggml.eos_token_id")
    assert (value.data if value else None) == eos


def test_the_bundled_vocabulary_is_llama_2s() -> None:
    table = llama_2()
    assert len(table.tokens) == len(table.types) == len(table.scores or ()) == 32000
    assert (table.tokens[0], table.tokens[3], table.tokens[259], table.tokens[-1]) == ("<unk>", "<0x00>", "▁▁", "给")
    assert table.scores is not None
    assert (table.scores[259], table.scores[260], table.scores[-1]) == (-1e9, -1, -31740)


def test_openelm_without_a_tokenizer_uses_it(tmp_path: Path) -> None:
    vocab = read_vocab(Checkpoint(tmp_path, {}, {}), "openelm", 1000)
    assert vocab.n_vocab == 1000
    assert dict(vocab.metadata)["tokenizer.ggml.bos_token_id"].data == 1
    assert any("Llama 2's vocabulary is used" in note for note in vocab.notes)


def test_glm_wants_its_added_tokens(tmp_path: Path) -> None:
    tokenizer = {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
                 "added_tokens": [], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                                                       "use_regex": True}}  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        read_vocab(Checkpoint(tmp_path, {}, {}), "glm4", 3)
