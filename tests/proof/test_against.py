from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ggufpress import quantize
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.shards import GgufSet, read_gguf_set
from ggufpress.proof.against import LEVELS, compare_with_source, error_limits
from ggufpress.quant.types import BF16, F16, F32, Q4_K, Q6_K, Q8_0, QTYPES
from ggufpress.recipe.presets import PRESETS
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.folder import open_checkpoint
from tests.tiny_checkpoints import BY_NAME, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(BY_NAME["mixtral-4"], tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def source(folder: Path) -> Checkpoint:
    return open_checkpoint(folder)


@pytest.mark.parametrize("preset", [preset.name for preset in PRESETS])
def test_every_preset_is_within_its_error(folder: Path, source: Checkpoint, tmp_path: Path, preset: str) -> None:
    (file,) = quantize(folder, [preset], output=tmp_path).files
    found = compare_with_source(read_gguf_set(file.path), source)
    assert found.ok
    relative = [error.relative for error in found.errors]
    assert relative == sorted(relative, reverse=True)
    quantized = [error.excess for error in found.errors if error.qtype.quantized]
    assert max(quantized, default=0) < 0.5
    assert {error.name for error in found.errors} == {tensor.name for tensor in read_gguf(file.path).tensors}


@pytest.mark.parametrize("preset", ["Q4_K_M", "Q8_0", "F16", "F32"])
def test_one_damaged_row_is_found_and_named(folder: Path, source: Checkpoint, tmp_path: Path, preset: str) -> None:
    (made,) = quantize(folder, [preset], output=tmp_path).files
    file = read_gguf(made.path)
    tensor = next(t for t in file.tensors if t.name == "blk.1.ffn_up_exps.weight")
    row_bytes = tensor.qtype.row_bytes(tensor.shape[-1])
    row = 2 * 256 + 17
    with made.path.open("r+b") as stream:
        stream.seek(tensor.offset + row * row_bytes)
        stream.write(bytes(row_bytes))
    found = compare_with_source(read_gguf_set(made.path), source)
    assert not found.ok
    assert [(error.name, error.row) for error in found.errors if not error.ok] == [(tensor.name, row)]
    assert found.errors[0].name == tensor.name


def test_swapped_tensors_are_found(folder: Path, source: Checkpoint, tmp_path: Path) -> None:
    (made,) = quantize(folder, ["Q8_0"], output=tmp_path).files
    file = read_gguf(made.path)
    left, right = (next(t for t in file.tensors if t.name == f"blk.{i}.attn_output.weight") for i in (0, 1))
    data = bytearray(made.path.read_bytes())
    ours, theirs = (data[t.offset : t.offset + t.nbytes] for t in (left, right))
    data[left.offset : left.offset + left.nbytes], data[right.offset : right.offset + right.nbytes] = theirs, ours
    made.path.write_bytes(data)
    found = compare_with_source(read_gguf_set(made.path), source)
    assert {error.name for error in found.errors if not error.ok} == {left.name, right.name}


def test_names_that_only_one_side_has(folder: Path, source: Checkpoint, tmp_path: Path) -> None:
    (made,) = quantize(folder, ["Q8_0"], output=tmp_path).files
    file = read_gguf(made.path)
    first = file.tensors[0]
    renamed = replace(file, tensors=(replace(first, name="other.weight"), *file.tensors[1:]))
    found = compare_with_source(GgufSet((renamed,)), source)
    assert (found.missing, found.unexpected, found.ok) == ((first.name,), ("other.weight",), False)
    reshaped = replace(
        file, tensors=(replace(first, shape=(first.shape[0] * 2, first.shape[1] // 2)), *file.tensors[1:])
    )
    assert compare_with_source(GgufSet((reshaped,)), source).reshaped == (first.name,)


def test_limits() -> None:
    rms = np.array([0.0, 1.0])
    assert error_limits(F32, rms).tolist() == [0, 0]
    assert error_limits(BF16, rms)[1] == 2**-8
    assert error_limits(F16, rms)[1] == pytest.approx(2**-11, rel=1e-3)
    allowed = [error_limits(qtype, rms)[1] for qtype in (Q8_0, Q6_K, Q4_K)]
    assert allowed == sorted(allowed)
    assert allowed[-1] < 0.6
    assert set(LEVELS) <= {qtype.name for qtype in QTYPES}
