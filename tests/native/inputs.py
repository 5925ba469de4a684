"""Float inputs that kernels must agree on, by name: the ordinary and the extreme."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parents[1] / "data" / "weights" / "bard-4m-rows.npz"


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.standard_normal(shape) * 0.02).astype(np.float32)


def _heavy_tailed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.standard_t(1.5, shape) * 0.01).astype(np.float32)


def _constant(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    levels = np.array([0.3, -0.3, 1.0, -1.0, 1e-6], np.float32)
    return np.repeat(rng.choice(levels, (shape[0], shape[1] // 32)), 32, axis=1)


def _zeros(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    x = np.zeros(shape, np.float32)
    x[::2, ::2] = -0.0
    return x


def _some_zero_blocks(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    x = _normal(rng, shape)
    x[np.repeat(rng.random((shape[0], shape[1] // 16)) < 0.4, 16, axis=1)] = 0
    return x


def _denormal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.standard_normal(shape) * 1e-39).astype(np.float32)


def _tiny(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.standard_normal(shape) * 10.0 ** rng.uniform(-38, -4, (shape[0], 1))).astype(np.float32)


def _inverse_overflows(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Blocks whose scale is about the smallest number with a finite inverse."""
    blocks = rng.uniform(-1, 1, (shape[0], shape[1] // 32, 32))
    blocks[..., 5] = rng.choice([-1, 1], blocks.shape[:2])
    steps = rng.choice([8, 127], (*blocks.shape[:2], 1))
    blocks *= steps * rng.uniform(2.93e-39, 2.95e-39, steps.shape)
    return blocks.reshape(shape).astype(np.float32)


def _huge(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    x = rng.standard_normal(shape) * 10.0 ** rng.uniform(4, 38, (shape[0], 1))
    return np.clip(x, -3.4e38, 3.4e38).astype(np.float32)


def _largest_finite(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.choice(np.array([3.4028235e38, -3.4028235e38, 0, 1], np.float32), shape)


def _one_outlier(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    x = _normal(rng, shape)
    for row in x.reshape(-1, 32):
        row[rng.integers(32)] *= np.float32(rng.choice([10.0, 1e3, 1e6, 1e12]))
    return x


def _alternating(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    x = np.full(shape, 0.5, np.float32)
    x[:, ::2] = -0.5
    x[::2] *= rng.choice(np.array([1, 0.1, 3], np.float32), shape)[::2]
    return x


def _on_grid(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.integers(-16, 17, shape) * np.float32(0.125)).astype(np.float32)


def _one_sided(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    x = np.abs(_normal(rng, shape)) + np.float32(0.01)
    x[1::2] *= -1
    return x


def _near_powers_of_two(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Blocks whose largest size is a few floats from a power of two: where a logarithm rounds up to a whole number."""
    powers = rng.integers(1, 254, (shape[0], shape[1] // 32)) << 23
    tops = (powers + rng.integers(-60, 5, powers.shape)).astype(np.uint32).view(np.float32)
    parts = rng.choice(np.array([1.0, 0.6, 0.3, -0.1, 0.01], np.float32), shape)
    x: Floats = np.repeat(tops, 32, axis=1) * parts
    return x


def _wild(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Any finite bit pattern."""
    bits = rng.integers(0, 2**32, shape, np.uint32)
    bits[(bits & 0x7F800000) == 0x7F800000] &= 0x807FFFFF
    return bits.view(np.float32)


def _real(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    with np.load(WEIGHTS) as tensors:
        flat = np.concatenate([tensors[name].ravel() for name in sorted(tensors.files)])
    return np.resize((flat.astype(np.uint32) << 16).view(np.float32), shape)


_FAMILIES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "normal": _normal,
    "heavy-tailed": _heavy_tailed,
    "constant": _constant,
    "zeros": _zeros,
    "some zero blocks": _some_zero_blocks,
    "denormal": _denormal,
    "tiny": _tiny,
    "inverse overflows": _inverse_overflows,
    "huge": _huge,
    "largest finite": _largest_finite,
    "one outlier": _one_outlier,
    "alternating sign": _alternating,
    "on grid": _on_grid,
    "one-sided": _one_sided,
    "any bits": _wild,
    "bard-4m": _real,
    "near powers of two": _near_powers_of_two,
}

FAMILIES = tuple(_FAMILIES)


def weights(family: str, rows: int, cols: int) -> Floats:
    """The (rows, cols) input called `family`, the same at every call."""
    seed = FAMILIES.index(family)
    return np.ascontiguousarray(_FAMILIES[family](np.random.default_rng([seed, rows, cols]), (rows, cols)))


IMPORTANCES = ("ones", "squares", "zeros", "some zero", "tiny", "huge")


def importance(kind: str, cols: int) -> Floats:
    """Importance of `cols` columns, the same at every call."""
    rng = np.random.default_rng(IMPORTANCES.index(kind))
    squares = rng.standard_normal(cols).astype(np.float32) ** 2
    match kind:
        case "ones":
            return np.ones(cols, np.float32)
        case "zeros":
            return np.zeros(cols, np.float32)
        case "some zero":
            return np.where(rng.random(cols) < 0.5, np.float32(0), squares).astype(np.float32)
        case "tiny":
            return (squares * np.float32(1e-30)).astype(np.float32)
        case "huge":
            return (squares * np.float32(1e25)).astype(np.float32)
        case _:
            return squares
