"""Folders with tokenizer files, made in a temporary place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ggufpress.source.checkpoint import Checkpoint

DATA = Path(__file__).parent.parent / "data" / "vocab"

MakeFolder: TypeAlias = Callable[..., Checkpoint]


@pytest.fixture
def folder(tmp_path: Path) -> MakeFolder:
    """Make a checkpoint of files: bytes and text as they are, other values as JSON; config.json is also its config."""

    def make(files: Mapping[str, Any]) -> Checkpoint:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
                path.write_text(text, encoding="utf-8")
        return Checkpoint(tmp_path, files.get("config.json", {}), {})

    return make


@pytest.fixture(scope="session")
def spm_model() -> bytes:
    """A SentencePiece BPE of 400 pieces."""
    return (DATA / "spm.model").read_bytes()


@pytest.fixture
def tokenizer_json() -> Callable[[str], dict[str, Any]]:
    """The cut-down tokenizer.json of this name."""

    def read(name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
        return content

    return read
