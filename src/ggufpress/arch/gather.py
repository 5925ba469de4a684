"""Which stored weights make a tensor, and in which order: settled while reading, so nothing is held in memory for it.

A gather takes whole runs of the stored tensor (of the stack, where there are several), so the pieces of a slab are what
it says; only a transposition also turns the slab once it is read, and columns that alternate are told apart then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ggufpress.arch.ops import Shape
from ggufpress.errors import MappingError

LONG_RUN = 1 << 11
"""Weights of a run that is long enough for a read of its own: a page of memory in 16 bits."""
ZEROS = -1
"""Start of a run that no stored weights make: as many zeros."""


class Gather(Protocol):
    """What the planner and the pipeline ask of a gather. By default one whose runs are the result as they are."""

    @property
    def spread(self) -> int:
        """Stored weights that are read for each weight of the result."""
        return 1

    @property
    def widens(self) -> bool:
        """Whether it computes, in F32 whatever the type of the weights."""
        return False

    def out_shape(self, shape: Shape) -> Shape:
        """The shape of the result, from that of the stored tensor. Raises MappingError where it does not fit."""

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """Start and length of the stored runs, of `count * spread` weights in all, for `count` of the result from `first`.

        A run that starts at ZEROS is no stored one.
        """

    def limit(self, shape: Shape) -> int:
        """A slab does not reach over a multiple of this many weights of the result; 0 where it may."""
        return 0

    def ample(self, shape: Shape) -> int:
        """Weights of the result that a slab should hold, so that runs are long enough to read; 0 where any number will do."""
        return 0

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """The weights of one slab in the result's order, as the runs of `runs` gave them."""
        return weights

    def taken(self, shape: Shape) -> tuple[int, Sequence[range]]:
        """The length of what repeats throughout the stored tensor, and which of its places are taken: by default all."""
        return 1, [range(1)]

    def __str__(self) -> str:
        """How a plan prints it."""


@dataclass(frozen=True, slots=True)
class Regroup(Gather):
    """Some rows of every group, part by part: with parts a and b, a0 b0 a1 b1 -> a0 a1 b0 b1; with part b, -> b0 b1.

    Each part is a range of rows within a group. A tensor of three axes has one group per matrix, and one part is taken.
    The first `kept` rows are no part of any group: they stay where they are.
    shapes: (kept + groups * width, ...) -> (kept + groups * rows of all parts, ...), or
    (groups, width, cols) -> (groups, rows, cols).
    """

    groups: int
    parts: tuple[tuple[int, int], ...]
    kept: int = 0

    def width(self, shape: Shape) -> int:
        """Stored rows per group. Raises MappingError where the rows do not divide into groups or a part is not in one."""
        stacked = len(shape) == 3
        rows = shape[0] * shape[1] if stacked else shape[0] - self.kept
        one_part = shape[0] == self.groups and len(self.parts) == 1 and not self.kept
        if rows < 0 or rows % self.groups or (stacked and not one_part):
            raise MappingError(f"{list(shape)} does not divide into {self.groups} groups of rows")
        width = rows // self.groups
        if any(not 0 <= start < stop <= width for start, stop in self.parts):
            raise MappingError(f"groups of {width} rows do not hold the rows that the config asks for")
        return width

    def out_shape(self, shape: Shape) -> Shape:
        """The taken rows of all groups."""
        self.width(shape)
        taken = sum(stop - start for start, stop in self.parts)
        return (self.groups, taken, shape[2]) if len(shape) == 3 else (self.kept + self.groups * taken, *shape[1:])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """One run per group and part."""
        width = self.width(shape)
        row = shape[-1] if len(shape) > 1 else 1
        at, end = first, first + count
        begin = self.kept * row
        if at < begin:
            yield at, min(end, begin) - at
            at = min(end, begin)
        for start, stop in self.parts:
            size = (stop - start) * row
            while begin <= at < min(end, begin + self.groups * size):
                group, inside = divmod(at - begin, size)
                taken = min(size - inside, end - at)
                yield (self.kept + group * width + start) * row + inside, taken
                at += taken
            begin += self.groups * size

    def taken(self, shape: Shape) -> tuple[int, Sequence[range]]:
        """The rows of a group."""
        return self.width(shape), [range(start, stop) for start, stop in self.parts]

    def __str__(self) -> str:
        parts = " ".join(f"{start}:{stop}" for start, stop in self.parts)
        return f"regroup({f'{self.kept} rows, ' if self.kept else ''}{self.groups} x rows {parts})"


@dataclass(frozen=True, slots=True)
class Reshape(Gather):
    """The same weights in the same order under another shape of as many."""

    shape: Shape

    def out_shape(self, shape: Shape) -> Shape:
        """The new shape."""
        if prod(shape) != prod(self.shape):
            raise MappingError(f"{list(shape)} holds as many weights as {list(self.shape)} does not")
        return self.shape

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """One run."""
        yield first, count

    def __str__(self) -> str:
        return f"reshape({' x '.join(map(str, self.shape))})"


@dataclass(frozen=True, slots=True)
class Columns(Gather):
    """Every `step`-th column from `start` on, below `stop` where there is one: a0 b0 a1 b1 -> a0 a1.

    A column is a place of the last axis. With a step, `start` is smaller than it, and whole steps make up the columns.
    shapes: (..., cols) -> (..., taken).
    """

    start: int = 0
    stop: int | None = None
    step: int = 1

    @property
    def spread(self) -> int:
        """What lies between the columns is read with them."""
        return self.step

    def columns(self, shape: Shape) -> range:
        """The places that are taken. Raises MappingError where they are not there."""
        cols = shape[-1] if shape else 0
        taken = range(cols)[self.start : self.stop : self.step]
        if (
            not taken
            or cols < (self.stop or 0)
            or (self.step > 1 and (self.stop or self.start >= self.step or cols % self.step))
        ):
            raise MappingError(f"{list(shape)} does not have the columns {self}")
        return taken

    def out_shape(self, shape: Shape) -> Shape:
        """Fewer columns."""
        return (*shape[:-1], len(self.columns(shape)))

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """One run where the columns are spread over all, else one per row."""
        taken = self.columns(shape)
        if self.step > 1 or len(taken) == shape[-1]:
            yield first * self.step, count * self.step
            return
        at, end = first, first + count
        while at < end:
            row, inside = divmod(at, len(taken))
            length = min(len(taken) - inside, end - at)
            yield row * shape[-1] + self.start + inside, length
            at += length

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """The columns without what lies between them."""
        return weights[self.start :: self.step] if self.step > 1 else weights

    def taken(self, shape: Shape) -> tuple[int, Sequence[range]]:
        """Places of the last axis."""
        return shape[-1], [self.columns(shape)]

    def __str__(self) -> str:
        stop = "" if self.stop is None else self.stop
        return f"columns({self.start}:{stop}:{self.step})" if self.step > 1 else f"columns({self.start}:{stop})"


@dataclass(frozen=True, slots=True)
class Transpose(Gather):
    """The transposed matrix, or each of a stack: (rows, cols) -> (cols, rows), of those columns that are taken."""

    columns: Columns = Columns()

    @property
    def spread(self) -> int:
        """As for the columns."""
        return self.columns.step

    def out_shape(self, shape: Shape) -> Shape:
        """The last two axes swapped."""
        if len(shape) not in (2, 3):
            raise MappingError(f"{list(shape)} is no matrix that could be transposed")
        return (*shape[:-2], len(self.columns.columns(shape)), shape[-2])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """A run of columns in every stored row of one matrix."""
        rows, cols = shape[-2:]
        matrix, inside = divmod(first, rows * len(self.columns.columns(shape)))
        begin = self.columns.start if self.columns.step == 1 else 0
        begin += matrix * rows * cols + inside // rows * self.columns.step
        length = count // rows * self.columns.step
        for row in range(rows):
            yield begin + row * cols, length

    def limit(self, shape: Shape) -> int:
        """One matrix."""
        return shape[-2] * len(self.columns.columns(shape))

    def ample(self, shape: Shape) -> int:
        """As many rows of the result as make runs of LONG_RUN weights, or one matrix."""
        return min(shape[-2] * (LONG_RUN // self.columns.step), self.limit(shape))

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """The slab's columns as rows."""
        rows = weights.reshape(shape[-2], -1)
        return (rows[:, self.columns.start :: self.columns.step] if self.columns.step > 1 else rows).T

    def taken(self, shape: Shape) -> tuple[int, Sequence[range]]:
        """The columns."""
        return self.columns.taken(shape)

    def __str__(self) -> str:
        return "transpose" if self.columns == Columns() else f"transpose({self.columns})"


@dataclass(frozen=True, slots=True)
class Then(Gather):
    """One gather that only moves whole runs, and another that takes what it gives."""

    first: Regroup | Reshape
    second: Gather

    @property
    def spread(self) -> int:
        """That of the second."""
        return self.second.spread

    def out_shape(self, shape: Shape) -> Shape:
        """One after the other."""
        return self.second.out_shape(self.first.out_shape(shape))

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """The runs of the second, in those of the first."""
        for start, length in self.second.runs(self.first.out_shape(shape), first, count):
            yield from self.first.runs(shape, start, length)

    def limit(self, shape: Shape) -> int:
        """That of the second."""
        return self.second.limit(self.first.out_shape(shape))

    def ample(self, shape: Shape) -> int:
        """That of the second."""
        return self.second.ample(self.first.out_shape(shape))

    def arrange(self, weights: NDArray[Any], shape: Shape) -> NDArray[Any]:
        """As the second does."""
        return self.second.arrange(weights, self.first.out_shape(shape))

    def taken(self, shape: Shape) -> tuple[int, Sequence[range]]:
        """What the one takes that does not take all."""
        found = self.first.taken(shape)
        return self.second.taken(self.first.out_shape(shape)) if found == (1, [range(1)]) else found

    def __str__(self) -> str:
        return f"{self.first}, {self.second}"


@dataclass(frozen=True, slots=True)
class FirstRows(Gather):
    """The first rows, of an embedding whose others are padding: (rows, cols) -> (count, cols). Fewer stay as they are."""

    count: int

    def out_shape(self, shape: Shape) -> Shape:
        """As many rows as are kept."""
        if not shape:
            raise MappingError("a single number has no rows")
        return (min(self.count, shape[0]), *shape[1:])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """One run."""
        yield first, count

    def __str__(self) -> str:
        return f"first-rows({self.count})"


@dataclass(frozen=True, slots=True)
class PadRows(Gather):
    """All rows, and zeros behind them up to `count` rows: (rows, cols) -> (count, cols). More rows stay as they are."""

    count: int

    def out_shape(self, shape: Shape) -> Shape:
        """At least as many rows as asked for."""
        if not shape:
            raise MappingError("a single number has no rows")
        return (max(self.count, shape[0]), *shape[1:])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """A run of what is stored, then one of zeros."""
        there = min(count, max(0, prod(shape) - first))
        if there:
            yield first, there
        if there < count:
            yield ZEROS, count - there

    def __str__(self) -> str:
        return f"pad-rows({self.count})"


@dataclass(frozen=True, slots=True)
class SkipRows(Gather):
    """All rows but the first `count`, which are padding: position embeddings. (rows, ...) -> (rows - count, ...)."""

    count: int

    def out_shape(self, shape: Shape) -> Shape:
        """The shape without these rows. Raises MappingError where none is left."""
        if shape[0] <= self.count:
            raise MappingError(f"{list(shape)} has no rows behind the first {self.count}")
        return (shape[0] - self.count, *shape[1:])

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """One run, further on."""
        yield self.count * prod(shape[1:]) + first, count

    def __str__(self) -> str:
        return f"skip({self.count} rows)"


def leftover(gathers: list[Gather | None], shape: Shape) -> str | None:
    """What is wrong where one stored tensor of `shape` makes several: used twice, or in part never; None if all is well."""
    taken = [gather.taken(shape) for gather in gathers if gather]
    parts = [part for _, ranges in taken for part in ranges]
    if len(gathers) == 1 and all(len(part) == width for width, ranges in taken for part in ranges):
        return None
    if len(taken) < len(gathers):
        return "is used by several rules" if not taken else "is used as a whole and in parts"
    widths = {width for width, _ in taken}
    if len(widths) > 1:
        return "is used in parts that do not go together"
    counts = np.zeros(widths.pop(), np.uint8)
    for part in parts:
        counts[part.start : part.stop : part.step] += 1
    return None if (counts == 1).all() else "is not used row by row exactly once"
