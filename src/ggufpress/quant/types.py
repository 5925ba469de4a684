"""The tensor types of ggml: numbers, block sizes and what each is for.

Numbers and sizes: llama.cpp of llama-cpp-python 0.3.36, ggml/include/ggml.h (`enum ggml_type`) and
gguf-py/gguf/constants.py (`GGML_QUANT_SIZES`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ggufpress.errors import UsageError


@dataclass(frozen=True, slots=True)
class QType:
    """One tensor type.

    `block` weights that stand next to each other in a row share one block of `block_bytes` bytes.
    """

    name: str
    id: int
    block: int
    block_bytes: int
    about: str

    @property
    def bpw(self) -> float:
        """Bits per weight."""
        return 8 * self.block_bytes / self.block

    @property
    def quantized(self) -> bool:
        """Whether weights share blocks, that is, the type is not a plain number format."""
        return self.block > 1

    def row_bytes(self, cols: int) -> int:
        """Bytes of a row of `cols` weights. `cols` must be a multiple of `block`."""
        return cols // self.block * self.block_bytes

    def fits(self, cols: int) -> bool:
        """Whether rows of `cols` weights divide into whole blocks."""
        return cols % self.block == 0

    def __str__(self) -> str:
        return self.name


F32 = QType("F32", 0, 1, 4, "32-bit floats, exact")
F16 = QType("F16", 1, 1, 2, "16-bit floats: 11 bits of precision, values up to 65504")
Q4_0 = QType("Q4_0", 2, 32, 18, "4 bits, one scale per 32 weights")
Q4_1 = QType("Q4_1", 3, 32, 20, "4 bits, scale and minimum per 32 weights")
Q5_0 = QType("Q5_0", 6, 32, 22, "5 bits, one scale per 32 weights")
Q5_1 = QType("Q5_1", 7, 32, 24, "5 bits, scale and minimum per 32 weights")
Q8_0 = QType("Q8_0", 8, 32, 34, "8 bits, one scale per 32 weights")
Q2_K = QType("Q2_K", 10, 256, 84, "2 bits, 16 scales and minima of 4 bits")
Q3_K = QType("Q3_K", 11, 256, 110, "3 bits, 16 scales of 6 bits")
Q4_K = QType("Q4_K", 12, 256, 144, "4 bits, 8 scales and minima of 6 bits")
Q5_K = QType("Q5_K", 13, 256, 176, "5 bits, 8 scales and minima of 6 bits")
Q6_K = QType("Q6_K", 14, 256, 210, "6 bits, 16 scales of 8 bits")
Q8_K = QType("Q8_K", 15, 256, 292, "8 bits with block sums, for activations only")
IQ2_XXS = QType("IQ2_XXS", 16, 256, 66, "2.06 bits, grid of 256 points")
IQ2_XS = QType("IQ2_XS", 17, 256, 74, "2.31 bits, grid of 512 points")
IQ3_XXS = QType("IQ3_XXS", 18, 256, 98, "3.06 bits, grid of 256 points")
IQ1_S = QType("IQ1_S", 19, 256, 50, "1.56 bits, grid of 2048 points")
IQ4_NL = QType("IQ4_NL", 20, 32, 18, "4 bits on an uneven scale, per 32 weights")
IQ3_S = QType("IQ3_S", 21, 256, 110, "3.44 bits, grid of 512 points")
IQ2_S = QType("IQ2_S", 22, 256, 82, "2.56 bits, grid of 1024 points")
IQ4_XS = QType("IQ4_XS", 23, 256, 136, "4 bits on an uneven scale, 8 scales of 6 bits")
I8 = QType("I8", 24, 1, 1, "8-bit integers")
I16 = QType("I16", 25, 1, 2, "16-bit integers")
I32 = QType("I32", 26, 1, 4, "32-bit integers")
I64 = QType("I64", 27, 1, 8, "64-bit integers")
F64 = QType("F64", 28, 1, 8, "64-bit floats")
IQ1_M = QType("IQ1_M", 29, 256, 56, "1.75 bits, grid of 2048 points")
BF16 = QType("BF16", 30, 1, 2, "16-bit floats: 8 bits of precision, the range of F32")
TQ1_0 = QType("TQ1_0", 34, 256, 54, "ternary, 1.69 bits")
TQ2_0 = QType("TQ2_0", 35, 256, 66, "ternary, 2.06 bits")
MXFP4 = QType("MXFP4", 39, 32, 17, "4-bit floats with a power-of-two scale per 32 weights")
NVFP4 = QType("NVFP4", 40, 64, 36, "4-bit floats with an 8-bit float scale per 16 weights")
Q1_0 = QType("Q1_0", 41, 128, 18, "1 bit, one scale per 128 weights")
Q2_0 = QType("Q2_0", 42, 64, 18, "2 bits, one scale per 64 weights")

QTYPES: tuple[QType, ...] = (
    F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1, Q4_0, IQ4_NL, IQ4_XS, MXFP4, NVFP4, Q3_K, IQ3_S, IQ3_XXS,
    Q2_K, Q2_0, IQ2_S, IQ2_XS, IQ2_XXS, IQ1_M, IQ1_S, Q1_0, TQ2_0, TQ1_0, Q8_K, F64, I64, I32, I16, I8,
)  # fmt: skip

BY_ID: dict[int, QType] = {qtype.id: qtype for qtype in QTYPES}
BY_NAME: dict[str, QType] = {qtype.name: qtype for qtype in QTYPES}


def qtype_named(name: str) -> QType:
    """The type called `name`, in any case. Raises UsageError where there is none."""
    try:
        return BY_NAME[name.upper()]
    except KeyError:
        raise UsageError(f"no tensor type is called {name!r}", hint="ggufpress types lists them") from None
