from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.errors import CheckpointError
from ggufpress.source.checkpoint import MAX_TEXT_BYTES, Checkpoint


def test_reads_small_files_as_text(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_bytes("a\r\nb\rc\né".encode())
    checkpoint = Checkpoint(tmp_path, {}, {})
    assert checkpoint.has("chat_template.jinja")
    assert checkpoint.read_text("chat_template.jinja") == "a\nb\nc\né"
    assert checkpoint.read_text("chat_template.jinja") == (tmp_path / "chat_template.jinja").read_text("utf-8")


def test_names_the_file_that_fails(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, {}, {})
    with pytest.raises(CheckpointError, match=r"gone.json is missing"):
        checkpoint.read_text("gone.json")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9 ")
    with pytest.raises(CheckpointError, match=r"latin.txt is not UTF-8: .* at byte 3"):
        checkpoint.read_text("latin.txt")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(CheckpointError, match=r"half.json is not JSON"):
        checkpoint.read_json("half.json")


def test_refuses_a_small_file_that_is_not_small(tmp_path: Path) -> None:
    with (tmp_path / "tokenizer.json").open("wb") as stream:
        stream.truncate(MAX_TEXT_BYTES + 1)
    with pytest.raises(CheckpointError, match=r"tokenizer.json has 134,217,729 bytes"):
        Checkpoint(tmp_path, {}, {}).read_text("tokenizer.json")
