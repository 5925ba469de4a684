"""Which stored weights make a tensor, and in which order: settled while reading, so nothing is held in memory for it.

A gather takes whole runs of the stored tensor (of the stack, where there are several), so the pieces of a slab are what
it says; only a transposition also turns the slab once it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Protocol

from numpy.typing import NDArray

from ggufpress.arch.ops import Shape
from ggufpress.errors import MappingError


class Gather(Protocol):
    """What the planner and the pipeline ask of a gather."""

    def out_shape(self, shape: Shape) -> Shape:
        """The shape of the result, from that of the stored tensor. Raises MappingError where it does not fit."""

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """Start and length of the stored runs that make `count` weights of the result from `first` on."""

    def limit(self, shape: Shape) -> int:
        """A slab does not reach over a multiple of this many weights of the result; 0 where it may."""

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """The weights of one slab in the result's order, as the runs of `runs` gave them."""

    def __str__(self) -> str:
        """How a plan prints it."""


@dataclass(frozen=True, slots=True)
class Regroup:
    """Some rows of every group, part by part: with parts a and b, a0 b0 a1 b1 -> a0 a1 b0 b1; with part b, -> b0 b1.

    Each part is a range of rows within a group. A tensor of three axes has one group per matrix, and one part is taken.
    shapes: (groups * width, ...) -> (groups * rows of all parts, ...); (groups, width, cols) -> (groups, rows, cols).
    """

    groups: int
    parts: tuple[tuple[int, int], ...]

    def width(self, shape: Shape) -> int:
        """Stored rows per group. Raises MappingError where the rows do not divide into groups or a part is not in one."""
        stacked = len(shape) == 3
        rows = shape[0] * shape[1] if stacked else shape[0]
        if rows % self.groups or (stacked and (shape[0] != self.groups or len(self.parts) > 1)):
            raise MappingError(f"{list(shape)} does not divide into {self.groups} groups of rows")
        width = rows // self.groups
        if any(not 0 <= start < stop <= width for start, stop in self.parts):
            raise MappingError(f"groups of {width} rows do not hold the rows that the config asks for")
        return width

    def out_shape(self, shape: Shape) -> Shape:
        """The taken rows of all groups."""
        self.width(shape)
        taken = sum(stop - start for start, stop in self.parts)
        return (self.groups, taken, shape[2]) if len(shape) == 3 else (self.groups * taken, *shape[1:])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """One run per group and part."""
        width = self.width(shape)
        row = shape[-1] if len(shape) > 1 else 1
        at, end = first, first + count
        begin = 0
        for start, stop in self.parts:
            size = (stop - start) * row
            while begin <= at < min(end, begin + self.groups * size):
                group, inside = divmod(at - begin, size)
                taken = min(size - inside, end - at)
                yield (group * width + start) * row + inside, taken
                at += taken
            begin += self.groups * size

    def limit(self, shape: Shape) -> int:
        """None: rows only move."""
        return 0

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """As they are."""
        return weights

    def __str__(self) -> str:
        parts = " ".join(f"{start}:{stop}" for start, stop in self.parts)
        return f"regroup({self.groups} x rows {parts})"


@dataclass(frozen=True, slots=True)
class Transpose:
    """The transposed matrix, or each of a stack: (rows, cols) -> (cols, rows)."""

    def out_shape(self, shape: Shape) -> Shape:
        """The last two axes swapped."""
        if len(shape) not in (2, 3):
            raise MappingError(f"{list(shape)} is no matrix that could be transposed")
        return (*shape[:-2], shape[-1], shape[-2])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """A run of columns in every stored row of one matrix."""
        rows, cols = shape[-2:]
        matrix, inside = divmod(first, rows * cols)
        for row in range(rows):
            yield matrix * rows * cols + row * cols + inside // rows, count // rows

    def limit(self, shape: Shape) -> int:
        """One matrix."""
        return prod(shape[-2:])

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """The slab's columns as rows."""
        return weights.reshape(shape[-2], -1).T

    def __str__(self) -> str:
        return "transpose"


@dataclass(frozen=True, slots=True)
class SkipRows:
    """All rows but the first `count`: position embeddings that begin behind padding. (rows, ...) -> (rows - count, ...)."""

    count: int

    def out_shape(self, shape: Shape) -> Shape:
        """The shape without these rows. Raises MappingError where none is left."""
        if shape[0] <= self.count:
            raise MappingError(f"{list(shape)} has no rows behind the first {self.count}")
        return (shape[0] - self.count, *shape[1:])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """One run, further on."""
        yield self.count * prod(shape[1:]) + first, count

    def limit(self, shape: Shape) -> int:
        """None: rows only move."""
        return 0

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """As they are."""
        return weights

    def __str__(self) -> str:
        return f"skip({self.count} rows)"


def leftover(gathers: list[Gather | None], shape: Shape) -> str | None:
    """What is wrong where one stored tensor of `shape` makes several: used twice, or in part never; None if all is well."""
    if not any(isinstance(gather, Regroup) for gather in gathers):
        return "is used by several rules" if len(gathers) > 1 else None
    parts: list[tuple[int, int]] = []
    width = 0
    for gather in gathers:
        if not isinstance(gather, Regroup):
            return "is used as a whole and in parts"
        width = gather.width(shape)
        parts += gather.parts
    edges = sorted(parts)
    covered = edges[0][0] == 0 and edges[-1][1] == width and all(a[1] == b[0] for a, b in pairwise(edges))
    return None if covered else "is not used row by row exactly once"
