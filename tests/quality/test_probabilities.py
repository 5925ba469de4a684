from __future__ import annotations

import numpy as np

from ggufpress.quality.probabilities import (
    Floats,
    compare,
    empty_rounded,
    negative_log_likelihood,
    round_probabilities,
)

RNG = np.random.default_rng(3)
EVERY = slice(0, 40)


def logits(spread: float = 4) -> Floats:
    return (spread * RNG.standard_normal((40, 300))).astype(np.float32)


def log_softmax(rows: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    wide = rows.astype(np.float64)
    below = wide - wide.max(axis=1, keepdims=True)
    found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = below - np.log(np.exp(below).sum(axis=1, keepdims=True))
    return found


def test_negative_log_likelihood_is_that_of_a_softmax() -> None:
    rows, tokens = logits(), RNG.integers(0, 300, 40).astype(np.int32)
    assert np.allclose(negative_log_likelihood(rows, tokens), -log_softmax(rows)[np.arange(40), tokens], atol=1e-5)


def test_rounding_is_by_half_a_step_down_to_16_below_the_largest() -> None:
    rows = logits(8)
    base = empty_rounded(40, 300)
    round_probabilities(rows, base, EVERY)
    exact = log_softmax(rows)
    shallow = rows > rows.max(axis=1, keepdims=True) - 16
    assert not shallow.all()
    error = np.abs(base.of(EVERY) - exact)
    assert error[shallow].max() < 16 / 65535
    assert (base.levels[~shallow] == 0).all()
    assert (base.levels.max(axis=1) == 65535).all()


def test_rows_without_differences_are_as_good_as_any() -> None:
    base = empty_rounded(40, 300)
    round_probabilities(np.ones((40, 300), np.float32), base, EVERY)
    assert np.allclose(base.of(EVERY), -np.log(300))


def test_divergence_is_that_of_the_definition() -> None:
    rows, other = logits(), logits()
    tokens = RNG.integers(0, 300, 40).astype(np.int32)
    base = empty_rounded(40, 300)
    round_probabilities(rows, base, EVERY)
    found = compare(other, tokens, base, EVERY)
    p, q = log_softmax(rows), log_softmax(other)
    assert np.allclose(found.kld, (np.exp(p) * (p - q)).sum(axis=1), atol=2e-3)
    chosen = np.arange(40), tokens
    assert np.allclose(found.p_diff, np.exp(q[chosen]) - np.exp(p[chosen]), atol=1e-4)
    assert (found.same_top == (rows.argmax(axis=1) == other.argmax(axis=1))).all()
    assert compare(rows, tokens, base, EVERY).same_top.all()
