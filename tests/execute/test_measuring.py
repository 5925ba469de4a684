"""Ops that must see all weights first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress.arch.families.bailing import UnitColumns
from ggufpress.arch.families.bailing2 import Centered
from ggufpress.arch.ops import Op
from ggufpress.errors import MappingError
from ggufpress.execute import measuring
from ggufpress.execute.measuring import measured
from ggufpress.mapping import Derived
from ggufpress.quant.types import F32
from ggufpress.source.reading import TensorReader
from ggufpress.source.safetensors import read_header
from tests.tiny_checkpoints import stored, write_safetensors


def derived(folder: Path, values: np.ndarray, dtype: str, op: Op) -> Derived:
    path = folder / "model.safetensors"
    write_safetensors(path, {"w": (dtype, values.shape, stored(values, dtype))})
    return Derived("w", values.shape, tuple(read_header(path)), (op,))


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_columns_are_measured_row_by_row_whatever_the_slabs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    values = np.random.default_rng(1).standard_normal((300, 7)).astype(np.float32)
    tensor = derived(tmp_path, values, dtype, UnitColumns())
    assert tensor.dtype is F32
    seen = values.astype(np.float16).astype(np.float32) if dtype == "F16" else values
    total = np.zeros(7, np.float32)
    for row in seen:
        total += row * row
    lengths = np.sqrt(total) + np.float32(1e-7)
    for weights in (7, 70, 1 << 20):
        monkeypatch.setattr(measuring, "WEIGHTS", weights)
        with TensorReader() as reader:
            op = measured(reader, tensor).ops[0]
        assert (op.apply(seen, 1) == seen / lengths).all()


def test_the_mean_is_taken_from_each_weight(tmp_path: Path) -> None:
    values = np.array([1.0, 2.0, 6.0], np.float32)
    with TensorReader() as reader:
        op = measured(reader, derived(tmp_path, values, "F32", Centered())).ops[0]
    assert op.apply(values, 1).tolist() == [-2.0, -1.0, 3.0]


def test_other_tensors_are_left_alone(tmp_path: Path) -> None:
    tensor = Derived("c", (1,), constant=b"0000")
    with TensorReader() as reader:
        assert measured(reader, tensor) is tensor
    with pytest.raises(MappingError, match="no matrix"):
        UnitColumns().out_shape((3,))
