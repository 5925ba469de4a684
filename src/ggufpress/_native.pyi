"""The compiled kernels (src/ggufpress/native). Types are ggml type numbers, see ggufpress.quant.types.

Buffers are any C-contiguous objects with the buffer protocol; rows lie one after another. A size that does not fit, a
type without kernels or an instruction set that this machine lacks is a ValueError. The GIL is released while kernels
run, and the bytes do not depend on the instruction set, the number of threads or how rows are split between calls.
"""

from typing import Any, TypeAlias

from _typeshed import ReadableBuffer, WriteableBuffer
from numpy.typing import NDArray

_Source: TypeAlias = ReadableBuffer | NDArray[Any]
_Target: TypeAlias = WriteableBuffer | NDArray[Any]

def convert(
    src: _Source,
    src_type: int,
    via_type: int,
    dst: _Target,
    dst_type: int,
    n_per_row: int,
    importance: _Source | None = None,
) -> int:
    """Index of the first weight that is not finite if dst_type has blocks (dst is then unspecified), else -1.

    src: rows of n_per_row F32, F16 or BF16 weights. Each is rounded to via_type (F32, F16 or BF16), then stored in dst
    as dst_type: byte-identical to ggml x86-64, for float types to IEEE rounding. importance: n_per_row float32, weights
    of the columns from an imatrix; a ValueError where dst_type needs them and there are none.
    """

def dequantize(src: _Source, src_type: int, dst_f32: _Target, n_per_row: int) -> None:
    """Writes the values that the rows of src stand for as float32; exact."""

def error_sums(a: _Source, a_type: int, b: _Source, b_type: int, n_per_row: int) -> tuple[float, float, float]:
    """Sum of (a - b)^2, largest |a - b| and sum of a^2 over all values, in double precision and a fixed order."""

def check_blocks(src: _Source, type: int, n_per_row: int) -> int:
    """Index of the first block whose scales (for float types: whose value) are NaN or infinite, or -1."""

def isa() -> str:
    """The instruction set in use: the best one, or the one that GGUFPRESS_ISA or set_isa names."""

def isas() -> list[str]:
    """The instruction sets that this machine can use, best first; the last is "scalar"."""

def set_isa(name: str) -> None:
    """Makes the whole process use the named instruction set."""
