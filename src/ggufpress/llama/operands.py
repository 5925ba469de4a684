"""The tensors that a watcher sees, as numpy arrays: what a matrix was multiplied with.

Source: ggml/include/ggml.h (`struct ggml_tensor`, `ggml_op`) of llama.cpp of llama-cpp-python 0.3.36.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char, c_int, c_int32, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import LlamaError
from ggufpress.llama.library import Library
from ggufpress.llama.parameters import SUPPORTED

F32 = 0
"""GGML_TYPE_F32."""
OBJECT_BYTES = 32
"""GGML_OBJECT_SIZE: what ggml_tensor_overhead counts besides the struct."""
MAX_OPS = 512


class GgmlTensor(ctypes.Structure):
    """struct ggml_tensor."""


GgmlTensor._fields_ = (
    ("type", c_int),
    ("buffer", c_void_p),
    ("ne", c_int64 * 4),
    ("nb", c_size_t * 4),
    ("op", c_int),
    ("op_params", c_int32 * 16),
    ("flags", c_int32),
    ("src", POINTER(GgmlTensor) * 10),
    ("view_src", c_void_p),
    ("view_offs", c_size_t),
    ("data", c_void_p),
    ("name", c_char * 64),
    ("extra", c_void_p),
    ("padding", c_char * 8),
)


@dataclass(frozen=True, slots=True)
class Operations:
    """The numbers of ggml's multiplications, which change from version to version."""

    mul_mat: int
    mul_mat_id: int


def operations(library: Library) -> Operations:
    """Which numbers they have in `library`.

    Raises LlamaError where its tensors are laid out in another way than is known here.
    """
    if library.call["ggml_tensor_overhead"]() != OBJECT_BYTES + ctypes.sizeof(GgmlTensor):
        raise LlamaError(f"{library.origin} lays out tensors in a way that ggufpress does not know", hint=SUPPORTED)
    found: dict[bytes, int] = {}
    # the name after the last operation is NULL or another table's, so it ends at the second of the two
    for number in range(MAX_OPS):
        found[library.call["ggml_op_name"](number)] = number
        if b"MUL_MAT_ID" in found:
            return Operations(found[b"MUL_MAT"], found[b"MUL_MAT_ID"])
    raise LlamaError(f"{library.origin} has no operation MUL_MAT_ID", hint=SUPPORTED)


def tensor_at(address: int) -> Any:
    """The struct at `address`."""
    return GgmlTensor.from_address(address)


def weight_name(tensor: Any) -> str:
    """The name of a weight, without what the scheduler of several devices puts around it: CUDA0#NAME#0."""
    name: str = tensor.name.decode("utf-8", "replace")
    parts = name.split("#")
    return parts[1] if len(parts) > 1 else name


def floats(library: Library, tensor: Any) -> NDArray[np.float32]:
    """The numbers of an F32 tensor, in NumPy's order of axes. A view where they lie in this process's memory."""
    return _array(library, tensor, np.dtype(np.float32))


def integers(library: Library, tensor: Any) -> NDArray[np.int32]:
    """The numbers of an I32 tensor, in NumPy's order of axes."""
    return _array(library, tensor, np.dtype(np.int32))


def _array(library: Library, tensor: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    shape = tuple(tensor.ne)[::-1]
    strides = tuple(tensor.nb)[::-1]
    nbytes = dtype.itemsize + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if tensor.data and library.call["ggml_backend_buffer_is_host"](tensor.buffer):
        memory: Any = (c_char * nbytes).from_address(tensor.data)
    else:
        memory = (c_char * nbytes)()
        library.call["ggml_backend_tensor_get"](ctypes.addressof(tensor), ctypes.addressof(memory), 0, nbytes)
    return np.ndarray(shape, dtype, memory, 0, strides)
