"""The differences of many tensors put together: by layer, by role, by type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Any, TypeVar

from ggufpress.comparison.errors import Sums, TensorDifference, cosine, finite
from ggufpress.quant.types import QTYPES, QType

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Group:
    """The tensors that share a layer or a role. Errors are those of the tensors that differ, over all their weights.

    `left` and `right` are the types on each side with how many tensors have them.
    """

    name: str
    n_tensors: int
    n_differing: int
    rmse: float
    relative: float
    worst: float
    cosine: float
    left: tuple[tuple[QType, int], ...]
    right: tuple[tuple[QType, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "name": self.name, "tensors": self.n_tensors, "differing": self.n_differing, "rmse": finite(self.rmse),
            "relative": finite(self.relative), "max": finite(self.worst), "cosine": finite(self.cosine),
            "left": {qtype.name: count for qtype, count in self.left},
            "right": {qtype.name: count for qtype, count in self.right},
        }  # fmt: skip


def by_layer(tensors: Sequence[TensorDifference]) -> tuple[Group, ...]:
    """One group for each layer, in order, after one for the tensors of no layer."""
    groups = _grouped(tensors, lambda tensor: -1 if tensor.layer is None else tensor.layer)
    return tuple(_group("no layer" if n < 0 else str(n), groups[n]) for n in sorted(groups))


def by_role(tensors: Sequence[TensorDifference]) -> tuple[Group, ...]:
    """One group for each role, the one with the most weights first."""
    groups = _grouped(tensors, lambda tensor: tensor.role)
    largest = sorted(groups, key=lambda role: (-sum(tensor.n_params for tensor in groups[role]), role))
    return tuple(_group(role, groups[role]) for role in largest)


def type_changes(tensors: Iterable[TensorDifference]) -> tuple[tuple[QType, QType, int], ...]:
    """The pairs of types that one tensor has on both sides, where they are not the same, most frequent first."""
    pairs = Counter((tensor.left, tensor.right) for tensor in tensors if tensor.left is not tensor.right)
    return tuple((left, right, count) for (left, right), count in pairs.most_common())


def types_used(types: Iterable[QType]) -> tuple[tuple[QType, int], ...]:
    """Each type with how often it is there, in the order of `QTYPES`."""
    counts = Counter(types)
    return tuple((qtype, counts[qtype]) for qtype in QTYPES if counts[qtype])


def _grouped(
    tensors: Iterable[TensorDifference], key: Callable[[TensorDifference], Key]
) -> dict[Key, list[TensorDifference]]:
    groups: dict[Key, list[TensorDifference]] = {}
    for tensor in tensors:
        groups.setdefault(key(tensor), []).append(tensor)
    return groups


def _group(name: str, tensors: Sequence[TensorDifference]) -> Group:
    differing = [tensor for tensor in tensors if not tensor.equal]
    measured = [tensor for tensor in differing if tensor.sums]
    sums = sum((tensor.sums for tensor in measured if tensor.sums), Sums())
    n = sum(tensor.n_params for tensor in measured)
    unknown = len(measured) < len(differing)
    relative = sqrt(sums.difference / sums.left) if sums.left else inf if sums.difference else 0.0
    return Group(
        name=name,
        n_tensors=len(tensors),
        n_differing=len(differing),
        rmse=inf if unknown else sqrt(sums.difference / n) if n else 0.0,
        relative=inf if unknown else relative,
        worst=inf if unknown else sums.worst,
        cosine=nan if unknown else cosine(sums) if n else 1.0,
        left=types_used(tensor.left for tensor in tensors),
        right=types_used(tensor.right for tensor in tensors),
    )
