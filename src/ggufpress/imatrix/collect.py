"""Collecting an importance matrix while llama.cpp computes: the squares of what each weight matrix is multiplied with.

Exact: the sums are added in llama-imatrix's order, row after row in float32.
Source: llama.cpp of llama-cpp-python 0.3.36, tools/imatrix/imatrix.cpp (`collect_imatrix`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import ImatrixError
from ggufpress.imatrix.sums import Sums
from ggufpress.llama.library import Library
from ggufpress.llama.operands import F32, Operations, floats, integers, operations, tensor_at, weight_name

FEWEST_ROWS = 16
"""Smaller products are not collected, but for those of experts."""
OUTPUT = "output.weight"


class Collector:
    """Sums up while its `watch` is called by a context. process_output: also for output.weight."""

    def __init__(self, library: Library, *, process_output: bool = False) -> None:
        self.entries: dict[str, Sums] = {}
        self._library = library
        self._ops: Operations = operations(library)
        self._process_output = process_output

    def watch(self, address: int, ask: bool) -> bool:
        """Say whether the product at `address` is wanted, or take its numbers. Raises ImatrixError for what is no number."""
        tensor = tensor_at(address)
        if ask:
            return self._wanted(tensor)
        name = weight_name(tensor.src[0].contents)
        if tensor.op == self._ops.mul_mat_id:
            self._add_experts(name, tensor)
        else:
            self._add(name, tensor)
        if not np.isfinite(self.entries[name].values).all():
            raise ImatrixError(f"{name}: the model computes what is no number")
        return True

    def _wanted(self, tensor: Any) -> bool:
        if tensor.op == self._ops.mul_mat_id:
            return True
        if tensor.op != self._ops.mul_mat:
            return False
        other = tensor.src[1].contents
        if other.ne[1] < FEWEST_ROWS or other.type != F32:
            return False
        name = weight_name(tensor.src[0].contents)
        return name.startswith("blk.") or (self._process_output and name == OUTPUT)

    def _add(self, name: str, tensor: Any) -> None:
        weight, rows = tensor.src[0].contents, floats(self._library, tensor.src[1].contents)
        n3, n2, n1, n0 = rows.shape
        inner, outer = weight.ne[2], weight.ne[3]
        sums = self._sums(name, inner * outer, n0, 1)
        values = sums.values.reshape(inner * outer, n0)
        for i3 in range(n3):
            for i2 in range(n2):
                _accumulate(values[(i3 % outer) * inner + i2 % inner], rows[i3, i2])
        sums.counts[:] += n3 * n2 * n1 // (inner * outer)

    def _add_experts(self, name: str, tensor: Any) -> None:
        rows = floats(self._library, tensor.src[1].contents)[0]
        chosen = integers(self._library, tensor.src[2].contents)[0, 0]
        n_tokens, n_rows, n0 = rows.shape
        n_used, n_experts = chosen.shape[1], tensor.src[0].contents.ne[2]
        if not ((chosen >= 0) & (chosen < n_experts)).all():
            raise ImatrixError(f"{name}: an expert is chosen that does not exist")
        sums = self._sums(name, n_experts, n0, n_experts)
        values = sums.values.reshape(n_experts, n0)
        # the first choice of every token, then the second
        experts = chosen.T.reshape(-1)
        order = np.argsort(experts, kind="stable")
        ends = np.cumsum(np.bincount(experts, minlength=n_experts))
        for expert, (first, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if end > first:
                choice, token = np.divmod(order[first:end], n_tokens)
                _accumulate(values[expert], rows[token, choice % n_rows])
                sums.counts[expert] += end - first
        assert len(order) == n_tokens * n_used

    def _sums(self, name: str, n_matrices: int, n_columns: int, n_counts: int) -> Sums:
        """The sums of `name`, begun where there are none."""
        found = self.entries.get(name)
        if found is None:
            found = Sums(np.zeros(n_matrices * n_columns, np.float32), np.zeros(n_counts, np.int64))
        elif found.values.size != n_matrices * n_columns:
            raise ImatrixError(f"{name} has {n_matrices * n_columns:,} columns here, and {found.values.size:,} so far")
        elif n_counts > found.counts.size == 1:
            found = Sums(found.values, np.repeat(found.counts, n_counts))
        elif n_counts == 1 < found.counts.size and len(set(found.counts.tolist())) == 1:
            found = Sums(found.values, found.counts[:1].copy())
        self.entries[name] = found
        return found


def _accumulate(total: NDArray[np.float32], rows: NDArray[np.float32]) -> None:
    """Add the squares of `rows` to `total`, one row after the other: numpy adds up along the first axis in that order."""
    squares = rows * rows
    squares[0] += total
    np.add.reduce(squares, axis=0, out=total)
