"""llama.cpp's own block code, called through the shared library inside the PyPI wheel xllamacpp (x86-64, no FMA)."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ggufpress.quant.types import QType


class _TypeTraits(ctypes.Structure):
    """`struct ggml_type_traits` of ggml.h."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
        ("from_float_ref", ctypes.c_void_p),
    )


@cache
def library() -> ctypes.CDLL:
    """The shared library, with the signatures that are used here."""
    spec = find_spec("xllamacpp")
    assert spec is not None
    assert spec.origin is not None
    (path,) = Path(spec.origin).parent.glob("xllamacpp*.so")
    lib = ctypes.CDLL(str(path))
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = (
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    )  # fmt: skip
    lib.ggml_get_type_traits.restype = ctypes.POINTER(_TypeTraits)
    lib.ggml_get_type_traits.argtypes = (ctypes.c_int,)
    lib.dequantize_row_q8_K.restype = None
    lib.dequantize_row_q8_K.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    lib.ggml_validate_row_data.restype = ctypes.c_bool
    lib.ggml_validate_row_data.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
    return lib


def quantize(x: NDArray[np.float32], qtype: QType, importance: NDArray[np.float32] | None = None) -> NDArray[np.uint8]:
    """The rows that ggml makes of x: (rows, cols) float32."""
    rows, cols = x.shape
    x = np.ascontiguousarray(x, np.float32)
    out = np.empty((rows, qtype.row_bytes(cols)), np.uint8)
    weights = None if importance is None else np.ascontiguousarray(importance, np.float32)
    size = library().ggml_quantize_chunk(
        qtype.id, x.ctypes.data, out.ctypes.data, 0, rows, cols, None if weights is None else weights.ctypes.data
    )
    assert size == out.nbytes
    return out


def dequantize(data: NDArray[np.uint8], qtype: QType, cols: int) -> NDArray[np.float32]:
    """The values that ggml reads from rows of blocks."""
    data = np.ascontiguousarray(data)
    out = np.empty((data.size // qtype.row_bytes(cols), cols), np.float32)
    traits = library().ggml_get_type_traits(qtype.id).contents
    assert (traits.blck_size, traits.type_size) == (qtype.block, qtype.block_bytes)
    # Q8_K, which no tensor has, is missing in ggml's table
    to_float = library().dequantize_row_q8_K if qtype.name == "Q8_K" else traits.to_float
    to_float(data.ctypes.data, out.ctypes.data, out.size)
    return out


def valid(data: NDArray[np.uint8], qtype: QType) -> bool:
    """Whether ggml finds all scales finite."""
    return bool(library().ggml_validate_row_data(qtype.id, np.ascontiguousarray(data).ctypes.data, data.nbytes))
