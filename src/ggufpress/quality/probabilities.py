"""What logits say of the tokens that came next: (rows, n_vocab) float32 in, one number per row out.

Precision and rounding are llama-perplexity's: its file of probabilities holds 16 bits for each, spread evenly over at most
16 below the largest, and what it compares with is what that file would give back.
Source: llama.cpp of llama-cpp-python 0.3.36, tools/perplexity/perplexity.cpp (the three `log_softmax`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ggufpress.llama.model import Tokens

Floats = NDArray[np.float32]

LEVELS = np.float32(65535)
DEPTH = np.float32(16)
"""Logits further below the largest than this are as good as no chance."""


@dataclass(frozen=True, eq=False)
class Rounded:
    """The log-probabilities of rows, in 16 bits: `lowest` + `step` * `level`."""

    step: Floats
    lowest: Floats
    levels: NDArray[np.uint16]

    def of(self, rows: slice) -> Floats:
        """The log-probabilities of `rows`: (rows, n_vocab)."""
        made = self.levels[rows].astype(np.float32)
        made *= self.step[rows, None]
        made += self.lowest[rows, None]
        return made

    def at(self, rows: slice, tokens: Tokens) -> Floats:
        """The log-probability of one token per row."""
        level = self.levels[rows][np.arange(len(tokens)), tokens].astype(np.float32)
        return level * self.step[rows] + self.lowest[rows]


@dataclass(frozen=True, eq=False)
class Compared:
    """How rows differ from those of the reference, per row.

    nll, nll_base: minus the log-probability of the token that came. kld: the Kullback-Leibler divergence from the
    reference, in nats. p_diff: how much likelier the token is. same_top: whether the likeliest token is the same.
    """

    nll: Floats
    nll_base: Floats
    kld: Floats
    p_diff: Floats
    same_top: NDArray[np.bool_]


def negative_log_likelihood(logits: Floats, tokens: Tokens) -> NDArray[np.float64]:
    """Minus the log-probability of each row's token: what perplexity is the mean of."""
    largest = logits.max(axis=1)
    chosen = logits[np.arange(len(tokens)), tokens]
    below: NDArray[np.float64] = (chosen - largest).astype(np.float64)
    return np.log(_sum_of_exponentials(logits, largest)) - below


def round_probabilities(logits: Floats, out: Rounded, rows: slice) -> None:
    """Write the log-probabilities of `logits` into `rows` of `out`."""
    largest = logits.max(axis=1)
    smallest = np.maximum(logits.min(axis=1), largest - DEPTH)
    log_sum = np.log(_sum_of_exponentials(logits, largest)).astype(np.float32)
    step = (largest - smallest) / LEVELS
    out.step[rows] = step
    out.lowest[rows] = smallest - largest - log_sum
    inverse = np.divide(np.float32(1), step, out=np.zeros_like(step), where=step > 0)
    levels = logits - smallest[:, None]
    levels *= inverse[:, None]
    np.maximum(levels, 0, out=levels)
    out.levels[rows] = np.rint(levels, out=levels)


def empty_rounded(n_rows: int, n_vocab: int) -> Rounded:
    """Room for the log-probabilities of `n_rows`."""
    return Rounded(np.zeros(n_rows, np.float32), np.zeros(n_rows, np.float32), np.zeros((n_rows, n_vocab), np.uint16))


def compare(logits: Floats, tokens: Tokens, base: Rounded, rows: slice) -> Compared:
    """How `logits` differ from `rows` of the reference, where `tokens` came next."""
    largest = logits.max(axis=1)
    log_sum = np.log(_sum_of_exponentials(logits, largest)).astype(np.float32)
    total = largest + log_sum
    nll = total - logits[np.arange(len(tokens)), tokens]
    nll_base = -base.at(rows, tokens)
    log_base = base.of(rows)
    likely = log_base > -DEPTH
    share = np.exp(log_base)
    share *= likely
    log_base -= logits
    log_base += total[:, None]
    share *= log_base
    return Compared(
        nll,
        nll_base,
        share.sum(axis=1, dtype=np.float64).astype(np.float32),
        np.exp(-nll) - np.exp(-nll_base),
        logits.argmax(axis=1) == base.levels[rows].argmax(axis=1),
    )


def _sum_of_exponentials(logits: Floats, largest: Floats) -> NDArray[np.float64]:
    below = logits - largest[:, None]
    np.exp(below, out=below)
    total: NDArray[np.float64] = below.sum(axis=1, dtype=np.float64)
    return total
