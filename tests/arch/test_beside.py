from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.arch.registry import describe
from ggufpress.errors import MappingError
from ggufpress.gguf.values import u32
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.resolve import resolve
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import make, write_safetensors

KEY = "lfm2.embedding_length_out"


def checkpoint(folder: Path) -> Checkpoint:
    source = resolve(make(FAMILY_CASES["lfm2-dense-behind"], folder))
    assert isinstance(source, Checkpoint)
    return source


def test_rows_of_the_matrix_become_a_key(tmp_path: Path) -> None:
    assert describe(checkpoint(tmp_path)).leading == ((KEY, u32(24)),)


def test_without_the_file_there_is_neither(tmp_path: Path) -> None:
    source = checkpoint(tmp_path)
    (source.root / "1_Dense" / "model.safetensors").unlink()
    assert describe(source).leading == ()


def test_a_file_without_the_matrix_is_refused(tmp_path: Path) -> None:
    source = checkpoint(tmp_path)
    write_safetensors(source.root / "1_Dense" / "model.safetensors", {"linear.bias": ("F32", (2,), bytes(8))})
    with pytest.raises(MappingError, match=r"model.safetensors has no matrix linear.weight: dense_2.weight"):
        describe(source)
