"""Every kernel makes ggml's bytes, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.quant import types
from ggufpress.quant.types import F32, QType
from tests.native import ggml_oracle, inputs
from tests.native.cases import CASES, NEEDS_IMPORTANCE, QUANTIZED, STORED, USES_IMPORTANCE, expected, name_of, shape_of
from tests.native.layouts import first_difference


def quantize(x: NDArray[np.float32], qtype: QType, importance: NDArray[np.float32] | None = None) -> NDArray[np.uint8]:
    rows, cols = x.shape
    out = np.full((rows, qtype.row_bytes(cols)), 0xA5, np.uint8)
    assert _native.convert(x, F32.id, F32.id, out, qtype.id, cols, importance) == -1
    return out


@pytest.mark.parametrize(("qtype", "family"), [case for case in CASES if case[0] not in NEEDS_IMPORTANCE], ids=name_of)
def test_bytes_are_ggmls(qtype: QType, family: str, isa: str) -> None:
    x = inputs.weights(family, *shape_of(qtype))
    assert first_difference(quantize(x, qtype), expected(qtype, family, None), qtype) is None


@pytest.mark.parametrize(("qtype", "family"), [case for case in CASES if case[0] in USES_IMPORTANCE], ids=name_of)
def test_bytes_with_importance_are_ggmls(qtype: QType, family: str, isa: str) -> None:
    x = inputs.weights(family, *shape_of(qtype))
    for kind in inputs.IMPORTANCES:
        made = quantize(x, qtype, inputs.importance(kind, x.shape[1]))
        assert first_difference(made, expected(qtype, family, kind), qtype) is None, kind


@pytest.mark.parametrize("qtype", NEEDS_IMPORTANCE, ids=str)
def test_types_that_need_importance(qtype: QType) -> None:
    with pytest.raises(ValueError, match="this type needs importance weights"):
        quantize(inputs.weights("normal", 1, 256), qtype)


@pytest.mark.parametrize("qtype", [qtype for qtype in QUANTIZED if qtype not in USES_IMPORTANCE], ids=str)
def test_importance_is_ignored_where_ggml_ignores_it(qtype: QType, isa: str) -> None:
    x = inputs.weights("normal", 2, 512)
    assert np.array_equal(quantize(x, qtype, inputs.importance("squares", 512)), quantize(x, qtype))


def specified(x: NDArray[np.float32], qtype: QType, importance: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """What the scalar kernels make."""
    before = _native.isa()
    _native.set_isa("scalar")
    try:
        return quantize(x, qtype, importance)
    finally:
        _native.set_isa(before)


@pytest.mark.parametrize("qtype", QUANTIZED, ids=str)
def test_every_row_length(qtype: QType, isa: str) -> None:
    for blocks in (1, 2, 3, 7, 15, 16, 17, 33):
        x = inputs.weights("normal", 3, blocks * qtype.block)
        importance = inputs.importance("squares", blocks * qtype.block)
        for weights in (None, importance):
            if weights is None and qtype in NEEDS_IMPORTANCE:
                continue
            wanted = specified(x, qtype, weights) if qtype in STORED else ggml_oracle.quantize(x, qtype, weights)
            assert first_difference(quantize(x, qtype, weights), wanted, qtype) is None


@pytest.mark.parametrize("qtype", QUANTIZED, ids=str)
def test_rows_do_not_influence_each_other(qtype: QType, isa: str) -> None:
    x, importance = inputs.weights("heavy-tailed", 37, 768), inputs.importance("squares", 768)
    whole = quantize(x, qtype, importance)
    for first, last in ((0, 1), (1, 6), (6, 23), (23, 37)):
        assert np.array_equal(quantize(x[first:last], qtype, importance), whole[first:last])


@st.composite
def blocks_of_floats(draw: st.DrawFn) -> NDArray[np.float32]:
    """A super-block whose groups differ in size, with values that repeat, cancel and vanish."""
    palette = draw(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    noise = np.float32(draw(st.sampled_from([0.0, 1e-7, 0.1, 1.0])))
    with np.errstate(over="ignore"):
        x = rng.choice(np.array(palette, np.float32), 256) * (1 + noise * rng.standard_normal(256, np.float32))
    return np.where(np.isfinite(x), x, np.float32(0)).astype(np.float32).reshape(1, 256)


@pytest.mark.parametrize("qtype", QUANTIZED, ids=str)
@settings(max_examples=40, deadline=None)
@given(x=blocks_of_floats(), weighted=st.booleans())
def test_scalar_and_simd_agree_on_arbitrary_floats(qtype: QType, x: NDArray[np.float32], weighted: bool) -> None:
    importance = inputs.importance("squares", 256) if weighted or qtype in NEEDS_IMPORTANCE else None
    before = _native.isa()
    try:
        made = {}
        for name in _native.isas():
            _native.set_isa(name)
            made[name] = quantize(x, qtype, importance)
    finally:
        _native.set_isa(before)
    for name, data in made.items():
        assert first_difference(data, made["scalar"], qtype) is None, name


@pytest.mark.parametrize("qtype", [types.Q8_0, types.Q6_K, types.Q4_K], ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_weight_that_is_not_finite_is_reported(qtype: QType, bad: float, isa: str) -> None:
    x = inputs.weights("normal", 5, 1280)
    x[3, 7] = bad
    x[4, 1000] = np.nan
    out = np.empty((5, qtype.row_bytes(1280)), np.uint8)
    assert _native.convert(x, F32.id, F32.id, out, qtype.id, 1280) == 3 * 1280 + 7
