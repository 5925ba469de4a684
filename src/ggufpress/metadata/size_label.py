"""A model's size in a few characters: 1.1B, or 8x7.2B for a mixture of experts."""

from __future__ import annotations

from dataclasses import dataclass

_UNITS = ((1e12, 1e-12, "T"), (1e9, 1e-9, "B"), (1e6, 1e-6, "M"))


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Parameters in all, outside of experts, and in one expert of each layer; and how many experts a layer has.

    Source: gguf-py/gguf/gguf_writer.py, get_total_parameter_count.
    """

    total: int
    shared: int
    expert: int
    n_expert: int


def size_label(counts: ParameterCounts) -> str:
    """The label for `counts`. Source: gguf-py/gguf/utility.py, size_label."""
    if counts.n_expert > 0:
        return f"{counts.n_expert}x{_rounded(abs(counts.shared) + abs(counts.expert))}"
    return _rounded(abs(counts.total))


def _rounded(n_params: int) -> str:
    """Two significant digits, or all before the point where there are more."""
    factor, suffix = next(((factor, suffix) for least, factor, suffix in _UNITS if n_params > least), (1e-3, "K"))
    scaled = n_params * factor
    decimals = max(2 - len(str(round(scaled)).lstrip("0")), 0)
    return f"{scaled:.{decimals}f}{suffix}"
