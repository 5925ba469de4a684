"""Blocks of NumPy arrays: quantize and dequantize rows with llama.cpp's very bytes.

>>> import numpy as np
>>> from ggufpress import dequantize_rows, quantize_rows
>>> weights = np.random.default_rng(0).standard_normal((8, 512), np.float32)
>>> blocks = quantize_rows(weights, "Q4_K")
>>> blocks.shape, blocks.dtype
((8, 288), dtype('uint8'))
>>> dequantize_rows(blocks, "Q4_K").shape
(8, 512)
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.errors import UsageError, WeightError
from ggufpress.quant.types import F16, F32, QType, qtype_named


def quantize_rows(
    x: NDArray[np.floating[Any]],
    qtype: QType | str,
    importance: NDArray[np.float32] | None = None,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """The rows of x as blocks of `qtype`: uint8 of shape (..., row bytes).

    x: (..., cols) float32 or float16, cols a multiple of the type's block; not copied where C-contiguous.
    importance: (cols,) weights of the columns, as an imatrix has them. IQ1_S, IQ2_XXS and IQ2_XS need it; types that do
    not use it ignore it.
    out: C-contiguous uint8 of the result's shape to write into.
    Raises UsageError for shapes and types that do not fit, WeightError for NaN and infinity (float types store them).
    Exact: byte-identical to ggml's ggml_quantize_chunk on x86-64.
    Example: quantize_rows(np.ones((2, 64), np.float32), "Q8_0").shape == (2, 68)
    """
    qtype = qtype_named(qtype) if isinstance(qtype, str) else qtype
    if x.dtype not in (np.float32, np.float16):
        raise UsageError(f"weights have dtype {x.dtype}", hint="float32 and float16 can be quantized")
    cols = _cols(x.shape, qtype)
    wanted = (*x.shape[:-1], qtype.row_bytes(cols))
    if out is None:
        out = np.empty(wanted, np.uint8)
    elif out.shape != wanted or out.dtype != np.uint8 or not out.flags.c_contiguous or not out.flags.writeable:
        raise UsageError(f"out must be a writable C-contiguous uint8 array of shape {wanted}, not {_describe(out)}")
    if importance is not None:
        if importance.shape != (cols,):
            raise UsageError(f"importance has shape {importance.shape} where rows have {cols} weights")
        if importance.dtype.kind not in "fiu":
            raise UsageError(f"importance has dtype {importance.dtype}", hint="float32 is what is used")
        importance = np.ascontiguousarray(importance, np.float32)
    source = F32 if x.dtype == np.float32 else F16
    try:
        bad = _native.convert(np.ascontiguousarray(x), source.id, F32.id, out, qtype.id, cols, importance)
    except ValueError as error:
        raise UsageError(f"cannot quantize to {qtype}: {error}") from None
    if bad >= 0:
        row, col = divmod(bad, cols)
        raise WeightError(f"weight {col} of row {row} is {x.reshape(-1, cols)[row, col]}, which {qtype} cannot store")
    return out


def dequantize_rows(
    data: NDArray[np.uint8], qtype: QType | str, shape: tuple[int, ...] | None = None
) -> NDArray[np.float32]:
    """The float32 values of rows of blocks: of shape (..., cols).

    data: (..., row bytes) uint8, not copied where C-contiguous; or, where `shape` is given, the bytes of such an array.
    Raises UsageError for sizes that do not fit.
    Exact: the values that ggml's own dequantizing gives.
    Example: dequantize_rows(np.zeros((2, 68), np.uint8), "Q8_0").shape == (2, 64)
    """
    qtype = qtype_named(qtype) if isinstance(qtype, str) else qtype
    if data.dtype != np.uint8:
        raise UsageError(f"blocks have dtype {data.dtype}, not uint8")
    if shape is None:
        if data.ndim == 0 or data.shape[-1] == 0 or data.shape[-1] % qtype.block_bytes:
            raise UsageError(
                f"blocks of shape {data.shape} do not divide into blocks of {qtype.block_bytes} bytes as {qtype} has"
            )
        shape = (*data.shape[:-1], data.shape[-1] // qtype.block_bytes * qtype.block)
    cols = _cols(shape, qtype)
    if min(shape) < 0 or data.nbytes != prod(shape[:-1]) * qtype.row_bytes(cols):
        raise UsageError(f"{data.nbytes} bytes are not a {qtype} tensor of shape {shape}")
    out = np.empty(shape, np.float32)
    try:
        _native.dequantize(np.ascontiguousarray(data), qtype.id, out, cols)
    except ValueError as error:
        raise UsageError(f"cannot dequantize {qtype}: {error}") from None
    return out


def _cols(shape: tuple[int, ...], qtype: QType) -> int:
    """The last of `shape`. Raises UsageError where rows of that length are not whole blocks."""
    if not shape or shape[-1] == 0:
        raise UsageError(f"an array of shape {shape} has no rows")
    if not qtype.fits(shape[-1]):
        raise UsageError(
            f"rows of {shape[-1]} weights do not divide into blocks of {qtype.block} as {qtype} has",
            hint=f"the last block would have {shape[-1] % qtype.block} weights",
        )
    return shape[-1]


def _describe(array: NDArray[Any]) -> str:
    order = "" if array.flags.c_contiguous else ", not contiguous"
    return f"{array.dtype} of shape {array.shape}{order}{'' if array.flags.writeable else ', read-only'}"
