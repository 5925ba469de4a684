"""Sizes and counts as people read them."""

from __future__ import annotations

UNITS = ("B", "kB", "MB", "GB", "TB")


def human_bytes(count: float) -> str:
    """A size with three digits: 638 MB. Units are powers of 1000, as on the Hub and on disks."""
    for unit in UNITS:
        if count < 999.5 or unit == UNITS[-1]:
            digits = 0 if unit == "B" or count >= 100 else 1 if count >= 10 else 2
            return f"{count:.{digits}f} {unit}"
        count /= 1000
    raise AssertionError


def human_count(count: float) -> str:
    """A number of weights: 1.10 B."""
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f}"
