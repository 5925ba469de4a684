"""Rounding on the way, sums of errors, checks of blocks, sizes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.quant import types
from ggufpress.quant.types import BF16, F16, F32, QType
from tests.native import ggml_oracle, inputs
from tests.native.cases import QUANTIZED
from tests.native.layouts import half_scales

FLOATS = (F32, F16, BF16)


def as_type(x: NDArray[np.float32], qtype: QType) -> NDArray[np.uint8]:
    """x rounded to a float type, as bytes: NumPy's own F16, gguf-py's formula for BF16."""
    if qtype == F32:
        return x.view(np.uint8)
    if qtype == F16:
        with np.errstate(over="ignore"):
            return x.astype(np.float16).view(np.uint8)
    bits = x.view(np.uint32).astype(np.uint64)
    nan = (bits & 0x7FFFFFFF) > 0x7F800000
    rounded = np.where(nan, bits >> 16 | 64, (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    return rounded.astype(np.uint16).view(np.uint8)


def values(data: NDArray[np.uint8], qtype: QType) -> NDArray[np.float32]:
    if qtype == F32:
        return data.view(np.float32)
    if qtype == F16:
        return data.view(np.float16).astype(np.float32)
    return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("family", ["normal", "denormal", "tiny", "huge", "any bits"])
@pytest.mark.parametrize("dst", FLOATS, ids=str)
@pytest.mark.parametrize("via", FLOATS, ids=str)
@pytest.mark.parametrize("src", FLOATS, ids=str)
def test_each_step_rounds(src: QType, via: QType, dst: QType, family: str, isa: str) -> None:
    stored = as_type(inputs.weights(family, 3, 1000), src)
    out = np.zeros((3, dst.row_bytes(1000)), np.uint8)
    assert _native.convert(stored, src.id, via.id, out, dst.id, 1000) == -1
    assert np.array_equal(out, as_type(values(as_type(values(stored, src), via), via), dst))


@pytest.mark.parametrize("via", FLOATS, ids=str)
@pytest.mark.parametrize("src", FLOATS, ids=str)
@pytest.mark.parametrize("dst", [types.Q8_0, types.Q4_K], ids=str)
def test_blocks_see_rounded_weights(dst: QType, src: QType, via: QType, isa: str) -> None:
    stored = as_type(inputs.weights("normal", 7, 768), src)
    out = np.empty((7, dst.row_bytes(768)), np.uint8)
    assert _native.convert(stored, src.id, via.id, out, dst.id, 768) == -1
    rounded = values(as_type(values(stored, src), via), via)
    assert np.array_equal(out, ggml_oracle.quantize(rounded, dst))


def test_a_weight_that_overflows_on_the_way_is_reported(isa: str) -> None:
    x = np.ones((2, 5120), np.float32)
    x[1, 300] = 70000
    out = np.empty((2, types.Q8_0.row_bytes(5120)), np.uint8)
    assert _native.convert(x, F32.id, F16.id, out, types.Q8_0.id, 5120) == 5420
    assert _native.convert(x, F32.id, BF16.id, out, types.Q8_0.id, 5120) == -1


def test_floats_keep_infinities_and_quiet_nans(isa: str) -> None:
    x = np.tile(np.array([np.inf, -np.inf, np.nan, 1], np.float32), 9)[:35]
    for dst in (F16, BF16, F32):
        out = np.zeros(dst.row_bytes(35), np.uint8)
        assert _native.convert(x, F32.id, F32.id, out, dst.id, 35) == -1
        assert np.array_equal(out, as_type(x, dst))


def test_unaligned_sources_give_the_same_bytes(isa: str) -> None:
    x = inputs.weights("normal", 3, 512)
    room = np.empty(x.nbytes + 1, np.uint8)
    room[1:] = x.view(np.uint8).ravel()
    aligned, unaligned = np.empty((2, 3 * types.Q6_K.row_bytes(512)), np.uint8)
    assert _native.convert(x, F32.id, F32.id, aligned, types.Q6_K.id, 512) == -1
    assert _native.convert(room[1:], F32.id, F32.id, unaligned, types.Q6_K.id, 512) == -1
    assert np.array_equal(aligned, unaligned)


def test_error_sums(isa: str) -> None:
    x = inputs.weights("normal", 5, 1792)
    data = ggml_oracle.quantize(x, types.Q4_K)
    diff = x.astype(np.float64) - ggml_oracle.dequantize(data, types.Q4_K, 1792)
    square, largest, own = _native.error_sums(x, F32.id, data, types.Q4_K.id, 1792)
    assert square == pytest.approx((diff**2).sum(), rel=1e-12)
    assert largest == np.float32(np.abs(diff).max())
    assert own == pytest.approx((x.astype(np.float64) ** 2).sum(), rel=1e-12)


def test_error_sums_are_the_same_everywhere() -> None:
    x, y = inputs.weights("heavy-tailed", 3, 1003), inputs.weights("normal", 3, 1003)
    before = _native.isa()
    sums = set()
    try:
        for name in _native.isas():
            _native.set_isa(name)
            sums.add(_native.error_sums(x, F32.id, y, F32.id, 1003))
    finally:
        _native.set_isa(before)
    assert len(sums) == 1


def test_error_sums_keep_nan(isa: str) -> None:
    x, y = np.zeros((2, 64), np.float32)
    y[3] = np.nan
    y[11] = 5
    assert all(np.isnan(value) for value in _native.error_sums(x, F32.id, y, F32.id, 64)[:2])


SCALES = [(F16, 0), *((qtype, offset) for qtype in QUANTIZED for offset in half_scales(qtype))]


@pytest.mark.parametrize("bits", [0x7C00, 0xFC00, 0x7E01, 0xFFFF])
@pytest.mark.parametrize(("qtype", "offset"), SCALES)
def test_check_blocks_finds_what_ggml_finds(qtype: QType, offset: int, bits: int) -> None:
    data = np.zeros((12, qtype.block_bytes), np.uint8)
    data[:, offset : offset + 2] = 0xFF, 0x7B
    assert ggml_oracle.valid(data, qtype)
    assert _native.check_blocks(data, qtype.id, 4 * qtype.block) == -1
    data[7, offset : offset + 2] = bits & 0xFF, bits >> 8
    assert not ggml_oracle.valid(data, qtype)
    assert _native.check_blocks(data, qtype.id, 4 * qtype.block) == 7


def test_check_blocks_of_scales_that_are_no_half_floats() -> None:
    mxfp4 = np.zeros((12, 17), np.uint8)
    mxfp4[:, 0], mxfp4[:, 1:] = 0xFE, 0xFF
    q8_k = np.full((12, 292), 0xFF, np.uint8)
    q8_k[:, 3] = 0x7E
    iq1_m = np.full((12, 56), 0xFF, np.uint8)
    iq1_m[:, 53], iq1_m[:, 55] = 0xBF, 0x7F
    for qtype, data, offset in ((types.MXFP4, mxfp4, 0), (types.Q8_K, q8_k, 3), (types.IQ1_M, iq1_m, 53)):
        assert ggml_oracle.valid(data, qtype)
        assert _native.check_blocks(data, qtype.id, qtype.block) == -1
        data[7, offset] = 0xFF
        assert not ggml_oracle.valid(data, qtype)
        assert _native.check_blocks(data, qtype.id, qtype.block) == 7
    assert _native.check_blocks(np.full((3, 36), 0xFF, np.uint8), types.NVFP4.id, 64) == -1


def test_check_blocks_of_floats(isa: str) -> None:
    # 13 and 18 lie within the vectors of some instruction sets and after those of others
    for where in (0, 13, 18):
        x = np.ones(20, np.float32)
        x[where] = np.inf
        assert _native.check_blocks(x, F32.id, 10) == where
        bf16 = as_type(x, BF16)
        assert _native.check_blocks(bf16, BF16.id, 10) == where
        assert _native.check_blocks(bf16[: 2 * where], BF16.id, max(where, 1)) == -1


def test_sizes_that_do_not_fit() -> None:
    x, out = np.zeros(512, np.float32), np.zeros(288, np.uint8)
    q4_k = types.Q4_K.id
    with pytest.raises(ValueError, match="rows of 100 do not divide into blocks of 256"):
        _native.convert(x[:500], F32.id, F32.id, out, q4_k, 100)
    with pytest.raises(ValueError, match="src has 2048 bytes, which are not rows of 3072"):
        _native.convert(x, F32.id, F32.id, out, q4_k, 768)
    with pytest.raises(ValueError, match="dst has 287 bytes where 288 are needed"):
        _native.convert(x, F32.id, F32.id, out[:287], q4_k, 512)
    with pytest.raises(ValueError, match="importance has 1024 bytes where 2048 are needed"):
        _native.convert(x, F32.id, F32.id, out, q4_k, 512, x[:256])
    with pytest.raises(ValueError, match="rows of 0 do not divide"):
        _native.convert(x, F32.id, F32.id, out, q4_k, 0)
    with pytest.raises(ValueError, match="rows of -256 do not divide"):
        _native.dequantize(out, q4_k, x, -256)
    with pytest.raises(ValueError, match="dst_f32 has 2044 bytes where 2048 are needed"):
        _native.dequantize(out, q4_k, x[:511], 256)
    with pytest.raises(ValueError, match="b has 288 bytes where 576 are needed"):
        _native.error_sums(np.zeros(1024, np.float32), F32.id, out, q4_k, 256)
    with pytest.raises(ValueError, match="src has 287 bytes"):
        _native.check_blocks(out[:287], q4_k, 256)
    with pytest.raises(ValueError, match="rows are too long"):
        _native.check_blocks(out, q4_k, 2**62)


def test_types_and_buffers_that_do_not_fit() -> None:
    x, out = np.zeros(512, np.float32), np.zeros(288, np.uint8)
    with pytest.raises(ValueError, match="src_type 12 is not F32, F16 or BF16"):
        _native.convert(out, 12, F32.id, x, F32.id, 256)
    with pytest.raises(ValueError, match="via_type 8 is not F32, F16 or BF16"):
        _native.convert(x, F32.id, 8, out, 12, 256)
    for unknown in (-1, 24, 1000):
        with pytest.raises(ValueError, match=f"dst_type {unknown} has no kernels"):
            _native.convert(x, F32.id, F32.id, out, unknown, 256)
    with pytest.raises(ValueError, match="dst is not a writable, C-contiguous buffer"):
        _native.convert(x, F32.id, F32.id, bytes(288), 12, 256)
    with pytest.raises(ValueError, match="src is not a C-contiguous buffer"):
        _native.convert(np.zeros((4, 256), np.float32)[:, ::2], F32.id, F32.id, out, 12, 256)


def test_no_rows() -> None:
    assert _native.convert(b"", F32.id, F32.id, bytearray(), types.Q4_K.id, 256) == -1
    assert _native.error_sums(b"", F32.id, b"", F32.id, 1) == (0, 0, 0)
    assert _native.check_blocks(b"", types.Q8_0.id, 32) == -1
