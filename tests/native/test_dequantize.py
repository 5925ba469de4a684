"""Values of blocks are ggml's values, bit for bit, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.quant import types
from ggufpress.quant.types import F32, QType
from tests.native import ggml_oracle
from tests.native.cases import CASES, DEQUANTIZED, expected, name_of, shape_of
from tests.native.layouts import half_scales


def dequantize(data: NDArray[np.uint8], qtype: QType, cols: int) -> NDArray[np.float32]:
    out = np.full((data.size // qtype.row_bytes(cols), cols), np.nan, np.float32)
    _native.dequantize(data, qtype.id, out, cols)
    return out


def random_blocks(qtype: QType, count: int) -> NDArray[np.uint8]:
    """Blocks of random bytes whose scales are finite."""
    rng = np.random.default_rng(qtype.id)
    data = rng.integers(0, 256, (count, qtype.block_bytes), np.uint8)
    for offset in half_scales(qtype):
        data[:, offset + 1] &= 0xBF
    if qtype in (types.F16, types.BF16):
        data[:, 1] &= 0xBF
    if qtype == types.IQ1_M:
        data[:, 55] &= 0xBF
    if qtype == types.Q8_K:
        data[:, 3] &= 0xBF
    return data


@pytest.mark.parametrize("qtype", DEQUANTIZED, ids=str)
def test_random_blocks(qtype: QType, isa: str) -> None:
    data = random_blocks(qtype, 300)
    made, wanted = dequantize(data, qtype, qtype.block), ggml_oracle.dequantize(data, qtype, qtype.block)
    assert np.array_equal(made.view(np.uint32), wanted.view(np.uint32))


@pytest.mark.parametrize(("qtype", "family"), CASES, ids=name_of)
def test_quantized_rows(qtype: QType, family: str, isa: str) -> None:
    data, cols = expected(qtype, family, "ones"), shape_of(qtype)[1]
    made, wanted = dequantize(data, qtype, cols), ggml_oracle.dequantize(data, qtype, cols)
    assert np.array_equal(made, wanted, equal_nan=True)


def test_every_half_float(isa: str) -> None:
    halves = np.arange(65536, dtype=np.uint16)
    values = dequantize(halves.view(np.uint8), types.F16, 65536)[0]
    wanted = halves.view(np.float16).astype(np.float32)
    assert np.array_equal(values, wanted, equal_nan=True)
    assert np.array_equal(np.signbit(values), np.signbit(wanted))
    back = np.empty(65536, np.uint16)
    assert _native.convert(values, F32.id, F32.id, back, types.F16.id, 65536) == -1
    finite = ~np.isnan(wanted)
    assert np.array_equal(back[finite], halves[finite])


# A hand-made block of each type: d = 0.5 (0x3800), dmin = 0.25 (0x3400).
def test_q8_0_by_hand(isa: str) -> None:
    block = np.array([0x00, 0x38, *range(16), *range(240, 256)], np.uint8)
    assert dequantize(block, types.Q8_0, 32)[0].tolist() == [q / 2 for q in [*range(16), *range(-16, 0)]]


def test_q4_0_by_hand(isa: str) -> None:
    block = np.array([0x00, 0x38, *(i | (15 - i) << 4 for i in range(16))], np.uint8)
    assert dequantize(block, types.Q4_0, 32)[0].tolist() == [q / 2 for q in [*range(-8, 8), *range(7, -9, -1)]]


@pytest.mark.parametrize(
    ("qtype", "head", "zero"), [(types.Q5_0, [0x00, 0x38], 16), (types.Q5_1, [0, 0x38, 0, 0x34], -0.5)]
)
def test_q5_0_and_q5_1_by_hand(qtype: QType, head: list[int], zero: float, isa: str) -> None:
    block = np.array([*head, 0xFF, 0x00, 0x00, 0xFF, *(i | (15 - i) << 4 for i in range(16))], np.uint8)
    q = np.array([*range(16, 24), *range(8, 16), *range(15, 7, -1), *range(23, 15, -1)])
    assert dequantize(block, qtype, 32)[0].tolist() == ((q - zero) / 2).tolist()


def test_q4_1_by_hand(isa: str) -> None:
    block = np.array([0x00, 0x38, 0x00, 0x34, *(i | (15 - i) << 4 for i in range(16))], np.uint8)
    assert dequantize(block, types.Q4_1, 32)[0].tolist() == [q / 2 + 0.25 for q in [*range(16), *range(15, -1, -1)]]


def test_q4_k_by_hand(isa: str) -> None:
    # Group 0 has scale 3 and min 2, group 4 scale 17 (1 | 1 << 4) and min 0, the others scale and min 0.
    block = np.zeros(144, np.uint8)
    block[:4] = 0x00, 0x38, 0x00, 0x34
    block[4], block[8], block[12] = 3 | 1 << 6, 2, 1
    block[16:] = 0x21
    values = dequantize(block, types.Q4_K, 256)[0].reshape(8, 32)
    assert (values[0] == 0.5 * 3 * 1 - 0.25 * 2).all()
    assert (values[4] == 0.5 * 17 * 1).all()
    assert not values[[1, 2, 3, 5, 6, 7]].any()


def test_q5_k_by_hand(isa: str) -> None:
    block = np.zeros(176, np.uint8)
    block[:4] = 0x00, 0x38, 0x00, 0x34
    block[4:6] = 3, 3
    block[16:48] = 0b10
    block[48:] = 0x21
    values = dequantize(block, types.Q5_K, 256)[0].reshape(8, 32)
    assert (values[0] == 0.5 * 3 * 1).all()
    assert (values[1] == 0.5 * 3 * (2 + 16)).all()


def test_q6_k_by_hand(isa: str) -> None:
    block = np.zeros(210, np.uint8)
    block[:128] = 0x21
    block[128:192] = 0b11_00_00_10
    block[192:208] = np.arange(-8, 8, dtype=np.int8).view(np.uint8)
    block[208:] = 0x00, 0x38
    values = dequantize(block, types.Q6_K, 256)[0].reshape(16, 16)
    assert (values[0] == 0.5 * -8 * (1 + (2 << 4) - 32)).all()
    assert (values[7] == 0.5 * -1 * (2 + (3 << 4) - 32)).all()
    assert (values[9] == 0.5 * 1 * (1 + (2 << 4) - 32)).all()
