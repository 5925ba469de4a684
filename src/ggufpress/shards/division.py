"""Which tensor goes into which shard, by the rules of gguf-split.

Source: TREE tools/gguf-split/gguf-split.cpp (`split_strategy`). Exact: the same shards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ggufpress.errors import UsageError
from ggufpress.gguf.header import ALIGNMENT, padded
from ggufpress.gguf.shards import MAX_SHARDS

DEFAULT_TENSORS = 128
UNITS = {"M": 1000**2, "G": 1000**3}
MAX_DIGITS = 12


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """How large a shard may be: in bytes of tensors or in tensors. `tensors_in_first`: the first has more than keys."""

    max_bytes: int | None = None
    max_tensors: int | None = None
    tensors_in_first: bool = True


def split_limits(
    max_size: str | int | None = None, max_tensors: int | None = None, tensors_in_first: bool = True
) -> SplitLimits:
    """The limits that a caller asks for: a size such as "500M" or "2G" (or bytes), or a number of tensors, or neither.

    Raises UsageError for both at once, and for what is no size or below 1.
    """
    if max_size is not None and max_tensors is not None:
        raise UsageError("--split-max-size and --split-max-tensors exclude each other")
    if max_tensors is not None and max_tensors < 1:
        raise UsageError(f"--split-max-tensors {max_tensors} is too few", hint="1 or more")
    if max_size is None:
        return SplitLimits(None, DEFAULT_TENSORS if max_tensors is None else max_tensors, tensors_in_first)
    max_bytes = max_size if isinstance(max_size, int) else shard_bytes(max_size)
    if max_bytes < 1:
        raise UsageError(f"--split-max-size {max_size} is too small", hint="for example 500M or 2G")
    return SplitLimits(max_bytes, None, tensors_in_first)


def shard_bytes(text: str) -> int:
    """The number of bytes in a size such as 500M or 2G: units of 1000, as gguf-split's. Raises UsageError."""
    match = re.fullmatch(r"([0-9]+)([MG])", text)
    if not match or len(match[1]) > MAX_DIGITS:
        raise UsageError(f"--split-max-size {text!r} is no size", hint="a whole number with M or G: 500M or 2G")
    return int(match[1]) * UNITS[match[2]]


def divide(sizes: Sequence[int], limits: SplitLimits) -> list[range]:
    """For each shard the numbers of its tensors, which have `sizes` in bytes.

    Raises UsageError where gguf-split refuses too: the first tensor alone is larger than a shard may be.
    Example: `divide([64, 64, 32], SplitLimits(max_tensors=2)) == [range(0, 2), range(2, 3)]`
    """
    starts = [0] if limits.tensors_in_first else [0, 0]
    filled = 0
    for index, nbytes in enumerate(sizes):
        size = padded(nbytes, ALIGNMENT)
        full = (
            filled + size > limits.max_bytes
            if limits.max_bytes is not None
            else index > 0 and index % (limits.max_tensors or DEFAULT_TENSORS) == 0
        )
        if full and index == starts[-1]:
            raise UsageError(
                f"no shard of at most {limits.max_bytes:,} bytes can hold the first tensor, which has {size:,}",
                hint=f"--split-max-size {-(-size // UNITS['M'])}M or more",
            )
        if full:
            starts.append(index)
            filled = 0
        filled += size
    if len(starts) > MAX_SHARDS:
        raise UsageError(f"this would make {len(starts):,} shards, at most {MAX_SHARDS:,} are possible",
                         hint="choose a larger limit")  # fmt: skip
    return [range(start, end) for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True)]
