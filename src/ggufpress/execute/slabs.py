"""Cutting tensors into slabs: runs of rows small enough for the memory budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from ggufpress.arch.gather import ZEROS
from ggufpress.mapping import Derived, stored_type
from ggufpress.source.checkpoint import TensorRef


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of one source tensor: `start` and `nbytes` within it. `elements` of its own data type; zeros without one."""

    ref: TensorRef | None
    start: int
    nbytes: int
    elements: int


@dataclass(frozen=True, slots=True)
class Slab:
    """A run of weights of one tensor: `elements` of them from `first` on, rows whole. `index` counts from 0."""

    index: int
    is_last: bool
    first: int
    elements: int
    pieces: tuple[Piece, ...]


def smallest(tensor: Derived) -> int:
    """The fewest weights of `tensor` that can be processed alone: a row, or all rows that an op needs together."""
    if not tensor.ops:
        return tensor.shape[-1] if len(tensor.shape) > 1 else tensor.dtype.block
    return tensor.period * prod(tensor.shape[1:])


def ample(tensor: Derived) -> int:
    """The weights that a slab of `tensor` should hold where its reads would be short otherwise, else 0."""
    return tensor.gather.ample(tensor.stored_shape) if tensor.gather else 0


def slabs(tensor: Derived, max_elements: int) -> Iterator[Slab]:
    """The slabs of `tensor` in order, of at most `max_elements` weights each (but at least `smallest`)."""
    unit = smallest(tensor)
    step = max(1, max_elements // unit) * unit
    limit = (tensor.gather.limit(tensor.stored_shape) if tensor.gather else 0) or tensor.n_params
    index = first = 0
    while first < tensor.n_params:
        elements = min(step, limit - first % limit, tensor.n_params - first)
        is_last = first + elements == tensor.n_params
        yield Slab(index, is_last, first, elements, tuple(_pieces(tensor, first, elements)))
        index, first = index + 1, first + elements


def _pieces(tensor: Derived, first: int, elements: int) -> Iterator[Piece]:
    if tensor.constant:
        return
    runs = tensor.gather.runs(tensor.stored_shape, first, elements) if tensor.gather else ((first, elements),)
    for start, count in runs:
        if start == ZEROS:
            yield Piece(None, 0, 0, count)
        else:
            yield from _run(tensor, start, count)


def _run(tensor: Derived, first: int, elements: int) -> Iterator[Piece]:
    per_source = prod(tensor.sources[0].shape)
    position, end = first, first + elements
    while position < end:
        which, inside = divmod(position, per_source)
        count = min(end - position, per_source - inside)
        ref = tensor.sources[which]
        stored = stored_type(ref)
        yield Piece(ref, stored.row_bytes(inside), stored.row_bytes(count), count)
        position += count
