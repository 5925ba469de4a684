"""A number to the power of many float32 exponents, to the last bit as torch computes it on x86-64.

torch hands whole groups of 32 numbers (with AVX-512) to SLEEF's vector routine for powers and the rest to the C
library's. The C library rounds the exact power correctly but for about one in 10,000; SLEEF's routine errs by up to one
unit in the last place, so its steps are reproduced: a power is exp(y log x), both in numbers of two floats.
Source of steps and coefficients: SLEEF 3 (Shibata and Petrogalli, "SLEEF: A Portable Vectorized Library of C Standard
Mathematical Functions", IEEE TPDS 2020), powf with 1.0 ULP, variant with fused multiply-add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

GROUP = 32
"""Numbers that torch computes together: two vectors of 16."""

Floats: TypeAlias = Any
"""float32 scalars or arrays: every operation on them rounds to float32."""

LN2 = (0.69314718246459960938, -1.904654323148236017e-09)
LOG_SERIES = (0.240320354700088500976562, 0.285112679004669189453125, 0.400007992982864379882812)
LOG_TWO_THIRDS = (0.66666662693023681640625, 3.69183861259614332084311e-09)
EXP_SERIES = (
    0.00136324646882712841033936, 0.00836596917361021041870117, 0.0416710823774337768554688, 0.166665524244308471679688,
    0.499999850988388061523438,
)  # fmt: skip
INVERSE_LN2 = 1.442695040888963407359924681
# ln 2 in two parts, the first short enough that its products with small integers are exact
LN2_HIGH, LN2_LOW = 0.693145751953125, 1.428606765330187045e-06


def torch_pow(base: float, exponents: NDArray[np.float32]) -> NDArray[np.float32]:
    """`base ** exponents` as torch gives it for a contiguous float32 tensor of exponents. `base` is positive."""
    whole = len(exponents) // GROUP * GROUP
    rounded = np.float32(base)
    rest = np.power(np.float64(rounded), exponents[whole:].astype(np.float64)).astype(np.float32)
    if not whole:
        return rest
    logarithm = _log(np.full(whole, rounded))
    return np.concatenate([_exp(logarithm.times(exponents[:whole])), rest])


@dataclass(frozen=True, slots=True)
class _Pair:
    """An unevaluated sum of two floats, the second far smaller than the first."""

    high: Floats
    low: Floats

    def plus(self, other: _Pair) -> _Pair:
        """The sum, where the first number is the larger one."""
        high = self.high + other.high
        return _Pair(high, self.high - high + other.high + self.low + other.low)

    def plus_any(self, other: _Pair) -> _Pair:
        """The sum, whichever number is the larger one."""
        total = _sum(self.high, other.high)
        return _Pair(total.high, total.low + (self.low + other.low))

    def minus(self, other: Floats) -> _Pair:
        """The difference to a single float."""
        total = _sum(self.high, -other)
        return _Pair(total.high, total.low + self.low)

    def times(self, other: Floats) -> _Pair:
        """The product with a single float."""
        high = self.high * other
        return _Pair(high, _fma(self.low, other, _fma(self.high, other, -high)))

    def times_pair(self, other: _Pair) -> _Pair:
        """The product."""
        high = self.high * other.high
        return _Pair(high, _fma(self.high, other.low, _fma(self.low, other.high, _fma(self.high, other.high, -high))))

    def squared(self) -> _Pair:
        """The product with itself."""
        high = self.high * self.high
        return _Pair(high, _fma(self.high + self.high, self.low, _fma(self.high, self.high, -high)))

    def over(self, other: _Pair) -> _Pair:
        """The quotient."""
        inverse = np.float32(1) / other.high
        high = self.high * inverse
        error = _fma(-other.low, inverse, _fma(-other.high, inverse, np.float32(1)))
        return _Pair(high, _fma(high, error, _fma(self.low, inverse, _fma(inverse, self.high, -high))))

    def normalized(self) -> _Pair:
        """The same number with as much as possible in the first float."""
        high = self.high + self.low
        return _Pair(high, self.high - high + self.low)


def _log(x: NDArray[np.float32]) -> _Pair:
    """The natural logarithm: x = m 2^e with m from 0.75 on, and log m as a series in (m - 1) / (m + 1)."""
    exponent = np.frexp(x * np.float32(1 / 0.75))[1] - 1
    mantissa = np.ldexp(x, -exponent)
    one = np.float32(1)
    ratio = _sum(-one, mantissa).over(_sum(one, mantissa))
    square = ratio.squared()
    series = np.float32(LOG_SERIES[0])
    for coefficient in LOG_SERIES[1:]:
        series = _fma(series, square.high, np.float32(coefficient))
    tail = square.times(series).plus_any(_pair(LOG_TWO_THIRDS))
    main = (
        _pair(LN2).times(exponent.astype(np.float32)).plus(_Pair(ratio.high * np.float32(2), ratio.low * np.float32(2)))
    )
    return main.plus(square.times_pair(ratio).times_pair(tail))


def _exp(x: _Pair) -> NDArray[np.float32]:
    """The exponential, rounded to one float: x = q ln 2 + s, and a series in s."""
    quotient = np.rint((x.high + x.low) * np.float32(INVERSE_LN2))
    rest = x.minus(quotient * np.float32(LN2_HIGH)).minus(quotient * np.float32(LN2_LOW)).normalized()
    series = np.float32(EXP_SERIES[0])
    for coefficient in EXP_SERIES[1:]:
        series = _fma(series, rest.high, np.float32(coefficient))
    result = _Pair(np.float32(1), np.float32(0)).plus(rest.plus(rest.squared().times(series)))
    power: NDArray[np.float32] = np.ldexp(result.high + result.low, quotient.astype(np.int32))
    return power


def _pair(parts: tuple[float, float]) -> _Pair:
    return _Pair(np.float32(parts[0]), np.float32(parts[1]))


def _sum(x: Floats, y: Floats) -> _Pair:
    """The exact sum of two floats."""
    high = x + y
    part = high - x
    return _Pair(high, (x - (high - part)) + (y - part))


def _fma(a: Floats, b: Floats, c: Floats) -> Floats:
    """a * b + c, rounded once to float32.

    The product is exact in float64. The sum is rounded to odd there, so that the second rounding is the right one.
    """
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    addend = np.asarray(c, np.float64)
    total = np.asarray(product + addend)
    part = total - product
    error = (product - (total - part)) + (addend - part)
    bits = total.view(np.int64)
    away = np.where((error > 0) == (total > 0), 1, -1)
    odd = np.where((error != 0) & (bits & 1 == 0), bits + away, bits)
    return odd.view(np.float64).astype(np.float32)
