"""One slab of a tensor in memory: read from its sources, in its stored type, ops applied."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.arch.ops import ScaleRows
from ggufpress.execute.slabs import Slab
from ggufpress.mapping import Derived, stored_type
from ggufpress.quant.types import F32
from ggufpress.source.reading import TensorReader

MARGIN = 4096
"""Bytes of a slab's buffer that alignment may take."""


class Carver:
    """Hands out consecutive parts of one buffer."""

    def __init__(self, buffer: bytearray) -> None:
        self._view = memoryview(buffer)
        self._at = 0

    def __call__(self, nbytes: int) -> memoryview:
        """The next `nbytes` bytes."""
        start = self._at
        # 64 bytes: a cache line, and the widest vector
        self._at = start + -(-nbytes // 64) * 64
        return self._view[start : start + nbytes]


def needs_copy(tensor: Derived) -> bool:
    """Whether the stored weights pass through a second buffer: for what happens to them, or to widen them."""
    return bool(tensor.steps) or len({ref.dtype for ref in tensor.sources}) > 1


def load_bytes(tensor: Derived) -> float:
    """Buffer bytes per weight that `load` takes."""
    spread = tensor.gather.spread if tensor.gather else 1
    return tensor.dtype.bpw / 8 * spread * (2 if needs_copy(tensor) else 1)


def load(reader: TensorReader, tensor: Derived, slab: Slab, carve: Carver) -> memoryview:
    """The weights of `slab` in `tensor.dtype`, in buffers from `carve`. Raises CheckpointError for failing files."""
    stored = tensor.dtype
    spread = tensor.gather.spread if tensor.gather else 1
    buffer = carve(stored.row_bytes(slab.elements * spread))
    spare = carve(len(buffer)) if needs_copy(tensor) else buffer
    if tensor.constant:
        start = slab.first * stored.block_bytes
        buffer[:] = tensor.constant[start : start + len(buffer)]
        return buffer
    at = 0
    for piece in slab.pieces:
        place = buffer[at : at + stored.row_bytes(piece.elements)]
        at += len(place)
        if piece.ref is None:
            place[:] = bytes(len(place))
            continue
        own = stored_type(piece.ref)
        if own is stored:
            reader.read_into(piece.ref, piece.start, place)
        else:
            raw = spare[: piece.nbytes]
            reader.read_into(piece.ref, piece.start, raw)
            _native.convert(raw, own.id, F32.id, place, F32.id, piece.elements)
    return transformed(tensor, buffer, spare, slab.first) if tensor.steps else buffer


def transformed(tensor: Derived, buffer: memoryview, spare: memoryview, first: int = 0) -> memoryview:
    """The weights in `buffer` after all steps of `tensor`, in `buffer` or `spare`. Both hold whole periods of rows.

    `first` is where the slab begins, in weights of the tensor: a multiple of the period's.
    """
    moved = {2: np.uint16, 4: np.uint32}[tensor.dtype.block_bytes]
    numbers = {2: np.float16, 4: np.float32}[tensor.dtype.block_bytes]
    shape = tensor.stored_shape if tensor.steps else ()
    if tensor.gather:
        weights = np.frombuffer(buffer, moved)
        result = tensor.gather.arrange(weights, shape)
        shape = tensor.gather.out_shape(shape)
        if not result.flags.c_contiguous or not np.may_share_memory(result, weights):
            buffer, spare = spare[: result.nbytes], buffer[: result.nbytes]
            np.copyto(np.frombuffer(buffer, moved).reshape(result.shape), result)
    for op in tensor.ops:
        kind = numbers if op.arithmetic else moved
        rows: NDArray[Any] = np.frombuffer(buffer, kind).reshape(-1, *shape[1:])
        placed = op.at(first // prod(shape[1:])) if isinstance(op, ScaleRows) else op
        result = placed.apply(rows, op.period(shape))
        shape = op.out_shape(shape)
        np.copyto(np.frombuffer(spare, kind).reshape(result.shape), result)
        buffer, spare = spare, buffer
    return buffer
