"""The figures of llama-perplexity from numbers per token: means with standard errors, percentiles, correlation.

Source: llama.cpp of llama-cpp-python 0.3.36, tools/perplexity/perplexity.cpp (`kl_divergence`: the statistics after the
last chunk; `perplexity`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.quality.probabilities import Compared

Numbers = NDArray[np.float64]

PERCENTILES = (99.9, 99.0, 95.0, 90.0, 75.0, 50.0, 25.0, 10.0, 5.0, 1.0, 0.1)
"""The shares at which distributions are told; 50 is the median, as the mean of the middle two."""
FEWEST = 10
"""A mean of fewer numbers has no standard error."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its standard error."""

    value: float
    error: float

    @property
    def relative(self) -> float:
        """The error as a share of the figure."""
        return self.error / abs(self.value) if self.value else 0.0 if self.error == 0 else float("inf")

    def to_json(self) -> dict[str, float]:
        """Plain data for `--json`."""
        return {"value": self.value, "error": self.error}


@dataclass(frozen=True, slots=True)
class Divergence:
    """How far a model is from its reference; probabilities as shares, divergences in nats."""

    ppl_base: Estimate
    log_ratio: Estimate
    ratio: Estimate
    difference: Estimate
    correlation: float
    kld: Estimate
    kld_largest: float
    kld_smallest: float
    kld_percentiles: dict[float, float]
    p_diff: Estimate
    p_diff_rms: Estimate
    p_diff_largest: float
    p_diff_smallest: float
    p_diff_percentiles: dict[float, float]
    same_top: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "perplexity_of_reference": self.ppl_base.to_json(),
            "log_of_ratio": self.log_ratio.to_json(),
            "ratio": self.ratio.to_json(),
            "difference": self.difference.to_json(),
            "correlation_of_logs": self.correlation,
            "kl_divergence": {
                **self.kld.to_json(),
                "largest": self.kld_largest,
                "smallest": self.kld_smallest,
                "percentiles": _named(self.kld_percentiles),
            },
            "probability_difference": {
                **self.p_diff.to_json(),
                "rms": self.p_diff_rms.to_json(),
                "largest": self.p_diff_largest,
                "smallest": self.p_diff_smallest,
                "percentiles": _named(self.p_diff_percentiles),
            },
            "same_top_token": self.same_top.to_json(),
        }


def perplexity(nll: Numbers) -> Estimate:
    """The perplexity of tokens with these negative log-likelihoods."""
    return _exp(mean(nll))


def divergence(compared: Compared) -> Divergence:
    """All figures of what was compared. At least two tokens."""
    nll, nll_base = compared.nll.astype(np.float64), compared.nll_base.astype(np.float64)
    ours, base = mean(nll), mean(nll_base)
    covariance = _covariance(nll, nll_base)
    spread = ours.error * base.error
    log_ratio = Estimate(ours.value - base.value, _root(ours.error**2 + base.error**2 - 2 * covariance))
    ppl, ppl_base = _exp(ours), _exp(base)
    difference = _root(ppl.error**2 + ppl_base.error**2 - 2 * ppl.value * ppl_base.value * covariance)
    kld = np.sort(compared.kld)
    p_diff = compared.p_diff.astype(np.float64)
    square = mean(p_diff**2)
    rms = sqrt(square.value)
    same = float(compared.same_top.mean())
    return Divergence(
        ppl_base=ppl_base,
        log_ratio=log_ratio,
        ratio=_exp(log_ratio),
        difference=Estimate(ppl.value - ppl_base.value, difference),
        correlation=covariance / spread if spread else 1.0,
        kld=mean(compared.kld.astype(np.float64)),
        kld_largest=float(kld[-1]),
        kld_smallest=float(kld[0]),
        kld_percentiles=_percentiles(kld),
        p_diff=mean(p_diff),
        p_diff_rms=Estimate(rms, 0.5 / rms * square.error if rms else 0.0),
        p_diff_largest=float(compared.p_diff.max()),
        p_diff_smallest=float(compared.p_diff.min()),
        p_diff_percentiles=_percentiles(np.sort(compared.p_diff)),
        same_top=Estimate(same, _root(same * (1 - same) / (len(nll) - 1))),
    )


def mean(values: Numbers) -> Estimate:
    """The mean of `values` with its standard error, 0 where there are too few."""
    count = len(values)
    middle = float(values.sum()) / count
    variance = float((values**2).sum()) / count - middle**2
    return Estimate(middle, sqrt(variance / (count - 1)) if variance > 0 and count > FEWEST else 0.0)


def percentile(ordered: NDArray[np.float32], share: float) -> float:
    """The value below which `share` of the `ordered` lie, in float32 as llama-perplexity has it."""
    place = np.float32(share) * np.float32(len(ordered) - 1)
    low = int(place)
    part = place - np.float32(low)
    high = min(low + 1, len(ordered) - 1)
    return float((np.float32(1) - part) * ordered[low] + part * ordered[high])


def joined(parts: Sequence[Compared]) -> Compared:
    """The numbers of all parts in one."""
    return Compared(
        np.concatenate([part.nll for part in parts]),
        np.concatenate([part.nll_base for part in parts]),
        np.concatenate([part.kld for part in parts]),
        np.concatenate([part.p_diff for part in parts]),
        np.concatenate([part.same_top for part in parts]),
    )


def _percentiles(ordered: NDArray[np.float32]) -> dict[float, float]:
    return {share: _median(ordered) if share == 50 else percentile(ordered, share / 100) for share in PERCENTILES}


def _named(percentiles: dict[float, float]) -> dict[str, float]:
    return {f"{share:g}": value for share, value in percentiles.items()}


def _median(ordered: NDArray[np.float32]) -> float:
    half = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[half])
    return float(np.float32(0.5) * (ordered[half] + ordered[half - 1]))


def _covariance(a: Numbers, b: Numbers) -> float:
    """The covariance of the means of `a` and `b`."""
    count = len(a)
    if count < FEWEST:
        return 0.0
    together = float((a * b).sum()) / count - float(a.sum()) / count * (float(b.sum()) / count)
    return together / (count - 1)


def _exp(log: Estimate) -> Estimate:
    value = exp(log.value)
    return Estimate(value, value * log.error)


def _root(square: float) -> float:
    # rounding may take it a little below zero
    return sqrt(max(square, 0.0))
