"""Which instruction set the kernels use."""

from __future__ import annotations

from ggufpress import _native
from ggufpress.errors import UsageError


def isa_in_use() -> str:
    """The name of the instruction set in use: the best one, or the one that GGUFPRESS_ISA names.

    Raises UsageError where that one is unknown or not to be had on this machine.
    """
    try:
        return _native.isa()
    except ValueError as error:
        raise UsageError(str(error), hint="unset GGUFPRESS_ISA: the best one is chosen by itself") from None
