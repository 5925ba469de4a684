"""Ops that must see all weights of a tensor first: those are read once more for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.arch.ops import Measuring
from ggufpress.execute.loading import MARGIN, Carver, load, load_bytes
from ggufpress.execute.slabs import slabs, smallest
from ggufpress.mapping import Derived
from ggufpress.source.reading import TensorReader

WEIGHTS = 1 << 20
"""Weights that are read at a time."""


def measured(reader: TensorReader, tensor: Derived) -> Derived:
    """`tensor` with a first op that knows its weights, where it is one that must."""
    if not tensor.ops or not isinstance(first := tensor.ops[0], Measuring):
        return tensor
    return replace(tensor, ops=(first.measured(_rows(reader, tensor)), *tensor.ops[1:]))


def _rows(reader: TensorReader, tensor: Derived) -> Iterator[NDArray[Any]]:
    stored = replace(tensor, ops=(), shape=tensor.stored_shape)
    buffer = bytearray(int(max(WEIGHTS, smallest(stored)) * load_bytes(stored)) + MARGIN)
    for slab in slabs(stored, max(WEIGHTS, smallest(stored))):
        weights = load(reader, stored, slab, Carver(buffer))
        rows = np.empty(slab.elements, np.float32)
        _native.dequantize(weights, stored.dtype.id, rows, slab.elements)
        yield rows.reshape(-1, *stored.shape[1:])
