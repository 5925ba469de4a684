"""What is checked of a GGUF source before a weight is read: types that cannot be made of those it has."""

from __future__ import annotations

from collections.abc import Iterable

from ggufpress.errors import UnsupportedError, UsageError
from ggufpress.quant.types import BF16, F16, F32, QType

LISTED = 4
NUMBERS = (F32, F16, BF16)
UNREADABLE = ("Q8_K",)
"""Types with blocks that no file of weights has; ggml has no kernels to make another type of them in a file."""


def check_conversions(types: Iterable[tuple[str, QType, QType]], preset: str, *, allow_requantize: bool) -> None:
    """Raise where a tensor, given as name, type it has and type it is to get, cannot or may not be converted."""
    converted = [(name, before, after) for name, before, after in types if before is not after]
    for name, before, _ in converted:
        if (not before.quantized and before not in NUMBERS) or before.name in UNREADABLE:
            raise UnsupportedError(f"{name} is stored as {before}, which cannot be converted")
    again = [(name, before) for name, before, _ in converted if before.quantized]
    if again and not allow_requantize:
        names = ", ".join(f"{name} ({before})" for name, before in again[:LISTED]) + (
            " ..." if len(again) > LISTED else ""
        )
        raise UsageError(
            f"{len(again)} tensors are quantized already and {preset} would quantize them again: {names}",
            hint="take a file in F16, BF16 or F32, or accept the loss with --allow-requantize",
        )
