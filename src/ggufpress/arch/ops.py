"""Operations on tensors, for planning and for streaming.

An op moves values along the first axis (of a matrix: its rows) or computes with each of them, so it works on slabs of
rows: `period(shape)` says how many rows belong together, and `apply` takes whole periods. Ops that lose nothing have an
`inverse`.
Moving works on any data type. Arithmetic is done as llama.cpp's converter does it: in F16 on F16 weights, else in F32.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ggufpress.arch.torch_exp import torch_exp
from ggufpress.errors import MappingError

Shape: TypeAlias = tuple[int, ...]
Array: TypeAlias = NDArray[Any]


class Op(Protocol):
    """What the planner and the pipeline ask of an operation. By default one that takes each weight by itself."""

    @property
    def arithmetic(self) -> bool:
        """Whether values change, and not only their places."""
        return True

    @property
    def widens(self) -> bool:
        """Whether it computes in F32 whatever the type of the weights."""
        return False

    def out_shape(self, shape: Shape) -> Shape:
        """The shape that `apply` gives for a whole tensor of `shape`. Raises MappingError where it does not fit."""
        return shape

    def period(self, shape: Shape) -> int:
        """Rows that must be processed together, for a whole tensor of `shape`."""
        return 1

    def apply(self, rows: Array, period: int) -> Array:
        """The result for `rows`: whole periods along the first axis."""

    def __str__(self) -> str:
        """How a plan prints it."""


class Mover(Op, Protocol):
    """An op that only moves weights."""

    @property
    def arithmetic(self) -> bool:
        """Values stay."""
        return False


@runtime_checkable
class Measuring(Protocol):
    """What an op has besides that must see all weights before it can change one. It comes first, and computes in F32."""

    def measured(self, slabs: Iterable[Array]) -> Op:
        """The op that knows the weights, from all rows in order, some at a time."""


@dataclass(frozen=True, slots=True)
class RopePermute(Mover):
    """Rows of each head from two halves to pairs: a0 a1 b0 b1 -> a0 b0 a1 b1.

    Hugging Face rotates the halves of a head against each other, llama.cpp neighbouring rows.
    shapes: (n_head * head_dim, ...) -> the same, head_dim even. Exact: values only move.
    """

    n_head: int

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        if not shape or shape[0] % (2 * self.n_head):
            raise MappingError(f"{shape[0] if shape else 0} rows do not divide into {self.n_head} heads of even size")
        return shape

    def period(self, shape: Shape) -> int:
        """One head."""
        return shape[0] // self.n_head

    def apply(self, rows: Array, period: int) -> Array:
        """The rows of whole heads in llama.cpp's order."""
        halves = rows.reshape(-1, 2, period // 2, *rows.shape[1:])
        return halves.swapaxes(1, 2).reshape(rows.shape)

    def inverse(self) -> RopeUnpermute:
        """Pairs to halves."""
        return RopeUnpermute(self.n_head)

    def __str__(self) -> str:
        return f"rope-permute({self.n_head} heads)"


@dataclass(frozen=True, slots=True)
class RopeUnpermute(Mover):
    """Rows of each head from pairs to two halves: a0 b0 a1 b1 -> a0 a1 b0 b1. Undoes RopePermute."""

    n_head: int

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        return RopePermute(self.n_head).out_shape(shape)

    def period(self, shape: Shape) -> int:
        """One head."""
        return shape[0] // self.n_head

    def apply(self, rows: Array, period: int) -> Array:
        """The rows of whole heads in Hugging Face's order."""
        pairs = rows.reshape(-1, period // 2, 2, *rows.shape[1:])
        return pairs.swapaxes(1, 2).reshape(rows.shape)

    def inverse(self) -> RopePermute:
        """Halves to pairs."""
        return RopePermute(self.n_head)

    def __str__(self) -> str:
        return f"rope-unpermute({self.n_head} heads)"


@dataclass(frozen=True, slots=True)
class Add(Op):
    """Each weight plus a constant: norms that are stored as the difference from 1.

    shapes: any -> the same. Exact: one rounding, in the type of the weights as the converter holds them.
    """

    value: float

    def apply(self, rows: Array, period: int) -> Array:
        """The sums, in the type of `rows`."""
        result: Array = rows + rows.dtype.type(self.value)
        return result

    def inverse(self) -> Add:
        """The constant subtracted. Undoes the sum up to rounding."""
        return Add(-self.value)

    def __str__(self) -> str:
        return f"add({self.value:g})"


@dataclass(frozen=True, slots=True)
class Scale(Op):
    """Each weight times a constant.

    shapes: any -> the same. Exact: one rounding of the product with the float32 constant, as torch does it.
    """

    factor: float

    def apply(self, rows: Array, period: int) -> Array:
        """The products, in the type of `rows`."""
        with np.errstate(over="ignore"):
            return (rows.astype(np.float32, copy=False) * np.float32(self.factor)).astype(rows.dtype)

    def inverse(self) -> Scale:
        """The division. Undoes the product up to rounding."""
        return Scale(1 / self.factor)

    def __str__(self) -> str:
        return f"scale({self.factor:g})"


@dataclass(frozen=True, slots=True)
class ScaleRows(Op):
    """Runs of rows, each times its own constant: `runs` holds pairs of a number of rows and a factor, in row order.

    shapes: (rows of all runs, ...) -> the same. Exact: as Scale.
    """

    runs: tuple[tuple[int, float], ...]

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        wanted = sum(count for count, _ in self.runs)
        if not shape or shape[0] != wanted:
            raise MappingError(f"{shape[0] if shape else 0} rows are not the {wanted} that the config tells of")
        return shape

    def at(self, first: int) -> ScaleRows:
        """The op for the rows from `first` on."""
        runs, start = [], 0
        for count, factor in self.runs:
            left = min(count, start + count - first)
            if left > 0:
                runs.append((left, factor))
            start += count
        return ScaleRows(tuple(runs))

    def apply(self, rows: Array, period: int) -> Array:
        """The products, in the type of `rows`, which begin where the first run does."""
        factors = np.repeat([f for _, f in self.runs], [n for n, _ in self.runs])[: len(rows)].astype(np.float32)
        with np.errstate(over="ignore"):
            product = rows.astype(np.float32, copy=False) * factors.reshape(-1, *[1] * (rows.ndim - 1))
            return product.astype(rows.dtype)

    def inverse(self) -> ScaleRows:
        """The divisions. Undoes the products up to rounding."""
        return ScaleRows(tuple((count, 1 / factor) for count, factor in self.runs))

    def __str__(self) -> str:
        return f"scale-rows({' '.join(f'{count}x{factor:g}' for count, factor in self.runs)})"


@dataclass(frozen=True, slots=True)
class NegExp(Op):
    """Minus the exponential of each weight: decay rates that are stored as their logarithms.

    shapes: any -> the same. Exact: as torch computes it, see `torch_exp`.
    """

    widens: bool = False

    def apply(self, rows: Array, period: int) -> Array:
        """The results, in the type of `rows`."""
        with np.errstate(over="ignore"):
            return -torch_exp(rows.astype(np.float32, copy=False)).astype(rows.dtype)

    def inverse(self) -> LogNeg:
        """The logarithm of minus each weight."""
        return LogNeg()

    def __str__(self) -> str:
        return "neg-exp"


@dataclass(frozen=True, slots=True)
class LogNeg(Op):
    """The logarithm of minus each weight. Undoes NegExp up to rounding."""

    def apply(self, rows: Array, period: int) -> Array:
        """The results, in the type of `rows`."""
        return np.log(-rows.astype(np.float64)).astype(rows.dtype)

    def inverse(self) -> NegExp:
        """Minus the exponential."""
        return NegExp()

    def __str__(self) -> str:
        return "log-neg"


@dataclass(frozen=True, slots=True)
class SwapColumns(Mover):
    """Columns from groups of parts to parts of groups: with 2 groups of 3, a0 a1 a2 b0 b1 b2 -> a0 b0 a1 b1 a2 b2.

    Each letter is a run of neighbouring columns. shapes: (..., cols) -> the same. Exact: values only move.
    """

    groups: int
    parts: int

    def out_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        if len(shape) < 2 or not self.groups * self.parts or shape[-1] % (self.groups * self.parts):
            raise MappingError(f"{list(shape)} has no columns that divide into {self.groups} x {self.parts} runs")
        return shape

    def apply(self, rows: Array, period: int) -> Array:
        """The rows with their columns in the new order."""
        split = rows.reshape(*rows.shape[:-1], self.groups, self.parts, -1)
        return split.swapaxes(-2, -3).reshape(rows.shape)

    def inverse(self) -> SwapColumns:
        """Parts of groups to groups of parts."""
        return SwapColumns(self.parts, self.groups)

    def __str__(self) -> str:
        return f"swap-columns({self.groups} x {self.parts})"


def stacked_shape(shapes: list[Shape]) -> Shape:
    """The shape of equal tensors stacked along a new first axis, or of the tensor itself where there is one."""
    return shapes[0] if len(shapes) == 1 else (len(shapes), *shapes[0])


def compose(ops: tuple[Op, ...], shape: Shape) -> tuple[Shape, int]:
    """The shape after all `ops`, and the rows that must be processed together for all of them."""
    period = 1
    for op in ops:
        period = int(np.lcm(period, op.period(shape)))
        shape = op.out_shape(shape)
    return shape, period
