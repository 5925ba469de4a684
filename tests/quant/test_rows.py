"""quantize_rows and dequantize_rows: NumPy in and out."""

from __future__ import annotations

import numpy as np
import pytest

from ggufpress.errors import UsageError, WeightError
from ggufpress.quant import types
from ggufpress.quant.rows import dequantize_rows, quantize_rows
from tests.native import ggml_oracle, inputs


def test_blocks_are_ggmls() -> None:
    x = inputs.weights("normal", 6, 512)
    for qtype in (types.Q8_0, types.Q4_K, types.Q6_K):
        assert np.array_equal(quantize_rows(x, qtype), ggml_oracle.quantize(x, qtype))
        assert np.array_equal(quantize_rows(x, qtype.name.lower()), ggml_oracle.quantize(x, qtype))


def test_every_type_of_weights_can_be_stored() -> None:
    x, importance = inputs.weights("normal", 2, 512), np.ones(512, np.float32)
    for qtype in types.QTYPES:
        if qtype.name.startswith(("F", "BF", "Q", "IQ", "TQ", "MX")) and qtype.name not in ("F64", "Q8_K"):
            blocks = quantize_rows(x, qtype, importance)
            assert blocks.shape == (2, qtype.row_bytes(512))
            # zeros would leave all of it, ternary types leave 0.68
            assert np.square(dequantize_rows(blocks, qtype) - x).sum() < 0.7 * np.square(x).sum()
    with pytest.raises(UsageError, match="cannot quantize to NVFP4: this type can only be read"):
        quantize_rows(x, "NVFP4")


def test_types_that_need_importance_say_so() -> None:
    with pytest.raises(UsageError, match="cannot quantize to IQ2_XXS: this type needs importance weights"):
        quantize_rows(np.zeros((2, 256), np.float32), "IQ2_XXS")


def test_leading_axes_are_kept() -> None:
    x = inputs.weights("normal", 6, 512).reshape(2, 3, 512)
    blocks = quantize_rows(x, "Q4_K")
    assert blocks.shape == (2, 3, 288)
    values = dequantize_rows(blocks, "Q4_K")
    assert values.shape == x.shape
    assert np.abs(values - x).max() < 0.01
    assert quantize_rows(x[0, 0], "Q8_0").shape == (544,)


def test_half_floats_and_strides() -> None:
    x = inputs.weights("normal", 6, 512).astype(np.float16)
    wanted = ggml_oracle.quantize(x.astype(np.float32), types.Q5_K)
    assert np.array_equal(quantize_rows(x, "Q5_K"), wanted)
    assert np.array_equal(quantize_rows(np.asfortranarray(x), "Q5_K"), wanted)


def test_importance() -> None:
    x, importance = inputs.weights("normal", 6, 512), inputs.importance("squares", 512)
    wanted = ggml_oracle.quantize(x, types.Q4_K, importance)
    assert np.array_equal(quantize_rows(x, "Q4_K", importance), wanted)
    assert np.array_equal(quantize_rows(x, "Q4_K", importance.astype(np.float64)), wanted)


def test_out_is_written() -> None:
    x = inputs.weights("normal", 6, 512)
    out = np.zeros((6, 288), np.uint8)
    assert quantize_rows(x, "Q4_K", out=out) is out
    assert np.array_equal(out, ggml_oracle.quantize(x, types.Q4_K))


def test_shape_of_flat_bytes() -> None:
    x = inputs.weights("normal", 6, 64)
    blocks = quantize_rows(x, "Q8_0")
    assert np.array_equal(dequantize_rows(blocks.ravel(), "Q8_0", (6, 64)), dequantize_rows(blocks, "Q8_0"))


def test_weights_that_are_not_finite_are_named() -> None:
    x = np.zeros((2, 3, 64), np.float32)
    x[1, 0, 33] = np.nan
    with pytest.raises(WeightError, match="weight 33 of row 3 is nan, which Q8_0 cannot store"):
        quantize_rows(x, "Q8_0")
    assert np.isnan(quantize_rows(x, "F16").view(np.float16)[1, 0, 33])


def test_calls_that_do_not_fit() -> None:
    x = np.zeros((2, 300), np.float32)
    with pytest.raises(UsageError, match="rows of 300 weights do not divide into blocks of 256 as Q4_K has") as caught:
        quantize_rows(x, "Q4_K")
    assert caught.value.hint == "the last block would have 44 weights"
    with pytest.raises(UsageError, match="weights have dtype float64"):
        quantize_rows(x.astype(np.float64), "Q4_K")
    with pytest.raises(UsageError, match="no tensor type is called 'Q9'"):
        quantize_rows(x, "Q9")
    with pytest.raises(UsageError, match="cannot quantize to I8"):
        quantize_rows(x, "I8")
    with pytest.raises(UsageError, match=r"importance has shape \(2,\) where rows have 300 weights"):
        quantize_rows(x, "F16", np.zeros(2, np.float32))
    with pytest.raises(UsageError, match="importance has dtype <U1"):
        quantize_rows(x, "F16", np.full(300, "a"))
    with pytest.raises(UsageError, match=r"out must be .* of shape \(2, 600\), not uint8 of shape \(2, 599\)"):
        quantize_rows(x, "F16", out=np.zeros((2, 599), np.uint8))
    with pytest.raises(UsageError, match="has no rows"):
        quantize_rows(np.array(1, np.float32), "F16")
    with pytest.raises(UsageError, match="blocks have dtype int8"):
        dequantize_rows(np.zeros((2, 34), np.int8), "Q8_0")
    with pytest.raises(UsageError, match="do not divide into blocks of 34 bytes as Q8_0 has"):
        dequantize_rows(np.zeros((2, 33), np.uint8), "Q8_0")
    with pytest.raises(UsageError, match=r"68 bytes are not a Q8_0 tensor of shape \(2, 64\)"):
        dequantize_rows(np.zeros((2, 34), np.uint8), "Q8_0", (2, 64))
    for shape in ((-2, 32), (2, -32), (-1, -2, 32), (2**40, 32), (2**62, 32)):
        with pytest.raises(UsageError, match="68 bytes are not a Q8_0 tensor of shape"):
            dequantize_rows(np.zeros((2, 34), np.uint8), "Q8_0", shape)
    with pytest.raises(UsageError, match="cannot dequantize I8"):
        dequantize_rows(np.zeros((2, 34), np.uint8), "I8")
