"""Products that no small model has, as stand-ins for what llama.cpp would show."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ggufpress.errors import ImatrixError, LlamaError
from ggufpress.imatrix.collect import Collector
from ggufpress.llama import operands
from ggufpress.llama.operands import GgmlTensor, operations, weight_name


class Library:
    """As much of llama.cpp as the collector calls: memory that lies elsewhere, and two operations."""

    origin = "stub"

    def __init__(self, *, overhead: int = 32 + ctypes.sizeof(GgmlTensor)) -> None:
        self.arrays: dict[int, NDArray[Any]] = {}
        self.call = {
            "ggml_tensor_overhead": lambda: overhead,
            "ggml_op_name": lambda number: {3: b"MUL_MAT", 4: b"MUL_MAT_ID"}.get(number, b"ADD"),
            "ggml_backend_buffer_is_host": lambda buffer: False,
            "ggml_backend_tensor_get": self.get,
        }

    def get(self, tensor: int, memory: int, offset: int, nbytes: int) -> None:
        ctypes.memmove(memory, self.arrays[tensor].ctypes.data + offset, nbytes)

    def tensor(self, values: NDArray[Any], name: str = "", kind: int = 0) -> Any:
        made = GgmlTensor(type=kind, name=name.encode())
        shape = (1,) * (4 - values.ndim) + values.shape
        made.ne[:] = shape[::-1]
        made.nb[:] = [values.itemsize * int(np.prod(shape[4 - axis :])) for axis in range(4)]
        self.arrays[ctypes.addressof(made)] = values
        return made


def product(op: int, *sources: Any) -> Any:
    made = GgmlTensor(op=op)
    for number, source in enumerate(sources):
        made.src[number] = ctypes.pointer(source)
    return made


def collected(op: int, weight: Any, library: Library, *more: Any) -> Collector:
    collector = Collector(library)  # type: ignore[arg-type]
    made = product(op, weight, *more)
    assert collector.watch(ctypes.addressof(made), True)
    assert collector.watch(ctypes.addressof(made), False)
    return collector


def rows(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def test_a_stack_of_matrices_has_sums_for_each_and_one_count() -> None:
    library, data = Library(), rows(4, 20, 6)
    weight = library.tensor(rows(2, 5, 6), "CUDA0#blk.0.attn_k_b.weight#0")
    (entry,) = collected(3, weight, library, library.tensor(data)).entries.items()
    assert entry[0] == "blk.0.attn_k_b.weight"
    assert entry[1].counts.tolist() == [40]
    both = (data**2).sum(axis=1)
    assert np.allclose(entry[1].values.reshape(2, 6), [both[0] + both[2], both[1] + both[3]])


def test_experts_are_counted_one_by_one() -> None:
    library, data = Library(), rows(7, 1, 6)
    chosen = np.array([[0, 2], [2, 0], [2, 3], [0, 2], [3, 2], [2, 0], [0, 3]], np.int32)
    weight = library.tensor(rows(4, 5, 6), "blk.0.ffn_up_exps.weight")
    entry = collected(4, weight, library, library.tensor(data), library.tensor(chosen, kind=26)).entries
    found = entry["blk.0.ffn_up_exps.weight"]
    assert found.counts.tolist() == [5, 0, 6, 3]
    for expert in range(4):
        hit = (chosen == expert).sum(axis=1)[:, None]
        assert np.allclose(found.values.reshape(4, 6)[expert], (hit * data[:, 0] ** 2).sum(axis=0))


@pytest.mark.parametrize("expert", [-1, 4])
def test_an_expert_that_is_none_is_an_error(expert: int) -> None:
    library = Library()
    weight = library.tensor(rows(4, 5, 6), "blk.0.ffn_up_exps.weight")
    ids = library.tensor(np.array([[expert]], np.int32), kind=26)
    with pytest.raises(ImatrixError, match="does not exist"):
        collected(4, weight, library, library.tensor(rows(1, 1, 6)), ids)


def test_numbers_that_are_none_are_an_error() -> None:
    library = Library()
    data = rows(20, 6)
    data[3, 2] = np.inf
    with pytest.raises(ImatrixError, match=r"blk\.0\.ffn_up\.weight: the model computes"):
        collected(3, library.tensor(rows(5, 6), "blk.0.ffn_up.weight"), library, library.tensor(data))


@pytest.mark.parametrize(
    ("name", "n_rows", "op", "wanted"),
    [("blk.0.ffn_up.weight", 16, 3, True), ("blk.0.ffn_up.weight", 15, 3, False), ("blk.0.ffn_up.weight", 16, 0, False),
     ("output.weight", 16, 3, False), ("token_embd.weight", 16, 3, False)],
)  # fmt: skip
def test_which_products_are_collected(name: str, n_rows: int, op: int, wanted: bool) -> None:
    library = Library()
    made = product(op, library.tensor(rows(5, 6), name), library.tensor(rows(n_rows, 6)))
    assert Collector(library).watch(ctypes.addressof(made), True) == wanted  # type: ignore[arg-type]


def test_another_layout_of_tensors_is_an_error() -> None:
    with pytest.raises(LlamaError, match="stub lays out tensors"):
        operations(Library(overhead=400))  # type: ignore[arg-type]


def test_names_lose_what_the_scheduler_adds() -> None:
    assert weight_name(GgmlTensor(name=b"CUDA0#blk.0.x.weight#3")) == "blk.0.x.weight"
    assert weight_name(GgmlTensor(name=b"blk.0.x.weight")) == "blk.0.x.weight"
    assert operands.F32 == 0
