"""In words: why are two files not the same?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING

from ggufpress.comparison.errors import TensorDifference
from ggufpress.comparison.keys import KeyComparison
from ggufpress.comparison.sides import Side
from ggufpress.comparison.summary import type_changes
from ggufpress.quant.types import QType

if TYPE_CHECKING:
    from ggufpress.comparison.report import FileComparison

USUAL: Mapping[str, float] = {
    "F32": 2**-24, "F16": 2.1e-4, "BF16": 1.7e-3, "Q8_0": 0.0054, "Q6_K": 0.018, "Q5_K": 0.036, "Q5_1": 0.038, "Q5_0": 0.043,
    "Q4_K": 0.071, "Q4_1": 0.078, "Q4_0": 0.086, "IQ4_NL": 0.076, "IQ4_XS": 0.077, "MXFP4": 0.11, "Q3_K": 0.15,
    "IQ3_S": 0.17, "IQ3_XXS": 0.18, "Q2_K": 0.30, "Q2_0": 0.72, "IQ2_S": 0.25, "IQ2_XS": 0.30, "IQ2_XXS": 0.34,
    "IQ1_M": 0.45, "IQ1_S": 0.49, "Q1_0": 0.60, "TQ2_0": 0.81, "TQ1_0": 0.81,
}  # fmt: skip
"""RMSE over RMS of normally distributed weights in each type (our kernels, 2^18 weights, no importance)."""
ALLOWED = 2.5
"""How much larger an error may be than the usual one: real weights have outliers, importance moves errors about."""
LISTED = 3


def explained(tensor: TensorDifference) -> bool:
    """Whether what lies between both sides is no more than two roundings to their types."""
    if tensor.equal:
        return True
    return tensor.relative <= ALLOWED * hypot(_usual(tensor.left), _usual(tensor.right))


def _usual(qtype: QType) -> float:
    return USUAL.get(qtype.name, 0.0)


def verdict(found: FileComparison) -> tuple[str, ...]:
    """Short clauses, the most important first. The first says whether the weights are the same."""
    return tuple(_clauses(found))


def _clauses(found: FileComparison) -> Iterator[str]:
    if found.equal:
        yield "equal: the same keys, tensors and weights in the same order"
        yield from _container(found.left, found.right)
        return
    yield _weights(found)
    yield from _kinds_of_keys(found.keys, retyped=any(t.left is not t.right for t in found.tensors))
    yield from _types(found)
    yield from _same_type(found)
    yield from _imatrix(found)
    if found.tensor_order is not None:
        yield f"the tensors stand in another order from {found.tensor_order} on"
    if found.keys.moved and not found.against_checkpoint:
        yield f"the keys stand in another order from {found.keys.moved} on"
    yield from _container(found.left, found.right)


def _weights(found: FileComparison) -> str:
    """Whether it is the same model."""
    if not found.tensors:
        return "no tensor is in both"
    sets = []
    for names, side in ((found.removed, found.left), (found.added, found.right)):
        if names:
            sets.append(f"{_listed(names)} only in {side.name}")
    if found.reshaped:
        sets.append(f"{_listed([name for name, _, _ in found.reshaped])} of another shape")
    odd = sorted((t for t in found.tensors if not explained(t)), key=lambda t: -t.relative)
    extra = f"; {'; '.join(sets)}" if sets else ""
    if odd:
        worst = ", ".join(f"{t.name} (by {t.relative:.1%})" for t in odd[:LISTED])
        return (
            f"other weights: {_count(odd, 'tensor')} of {len(found.tensors)} differ by more than rounding to their types "
            f"explains: {worst}{', ...' if len(odd) > LISTED else ''}{extra}"
        )
    if all(tensor.same_bytes for tensor in found.tensors):
        return f"the same bytes in all {len(found.tensors)} tensors{extra}"
    if all(tensor.equal for tensor in found.tensors):
        return f"the same weights{extra}"
    return f"the same weights within what their types can hold{extra}"


def _types(found: FileComparison) -> Iterator[str]:
    changes = type_changes(found.tensors)
    if not changes or found.against_checkpoint:
        if found.against_checkpoint and (mix := found.left_mix or found.right_mix):
            yield f"{(found.left if found.left_mix else found.right).name} looks like {mix}"
        return
    n = sum(count for _, _, count in changes)
    pairs = ", ".join(f"{count} {left} -> {right}" for left, right, count in changes[:LISTED])
    more = ", ..." if len(changes) > LISTED else ""
    looks = [
        f"{side.name} looks like {mix}"
        for side, mix in ((found.left, found.left_mix), (found.right, found.right_mix))
        if mix
    ]
    yield f"{n} tensor{'s have' if n > 1 else ' has'} another type ({pairs}{more}): {', '.join(looks) or 'no preset fits'}"


def _same_type(found: FileComparison) -> Iterator[str]:
    """What may have happened where the type is the same and the bytes are not."""
    other = [t for t in found.tensors if t.left is t.right and not t.same_bytes and explained(t)]
    if not other:
        return
    what = f"{_count(other, 'tensor')} of the same type {'have' if len(other) > 1 else 'has'} other bytes"
    blocks = sum(t.differing_blocks or 0 for t in other) / sum(t.n_blocks for t in other)
    if not any(t.left.quantized for t in other):
        yield what
    elif blocks > 0.5:
        yield f"{what}: nearly every block was rounded otherwise, as another importance matrix or other weights make it"
    else:
        yield f"{what}, in {blocks:.2%} of their blocks: as another build of llama.cpp, or a change to few weights, makes it"


def _imatrix(found: FileComparison) -> Iterator[str]:
    sides = (found.left, found.right)
    if found.against_checkpoint or sides[0].imatrix == sides[1].imatrix:
        return
    for side in sides:
        said = ", ".join(f"{key.key.rpartition('.')[2]} {key.text}" for key in side.imatrix)
        yield (
            f"{side.name} says: made with an importance matrix ({said})"
            if said
            else (f"{side.name} says nothing of an importance matrix")
        )


def _container(left: Side, right: Side) -> Iterator[str]:
    if left.file is None or right.file is None:
        return
    if left.n_shards != right.n_shards:
        yield f"{left.n_shards} file{_s(left.n_shards)} against {right.n_shards}"
    for what in ("version", "alignment"):
        ours, theirs = (getattr(side.file.files[0], what) for side in (left, right) if side.file)
        if ours != theirs:
            yield f"{what} {ours} against {theirs}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """Keys of which a person thinks as one thing."""

    name: str
    has: Callable[[str], bool]


KINDS = (
    _Kind("chat template", lambda key: key.startswith("tokenizer.chat_template")),
    _Kind("tokenizer", lambda key: key.startswith("tokenizer.")),
    _Kind("importance matrix keys", lambda key: key.startswith("quantize.")),
    _Kind("file type", lambda key: key in ("general.file_type", "general.quantization_version")),
    _Kind("architecture", lambda key: key in ("general.architecture", "general.alignment")),
    _Kind("name and description", lambda key: key.startswith("general.")),
    _Kind("hyperparameters", lambda key: True),
)


def kind_of_key(key: str) -> str:
    """What a key is about, in words: chat template, tokenizer, hyperparameters, ..."""
    return next(kind.name for kind in KINDS if kind.has(key))


def _kinds_of_keys(keys: KeyComparison, *, retyped: bool) -> Iterator[str]:
    by_kind: dict[str, list[str]] = {}
    for key in keys.touched:
        by_kind.setdefault(kind_of_key(key), []).append(key)
    for kind in KINDS:
        if names := by_kind.get(kind.name):
            # told with the types, and with the matrices
            if kind.name == "importance matrix keys" or (kind.name == "file type" and retyped):
                continue
            yield f"other {kind.name}" + ("" if kind.name in ("chat template", "file type") else f" ({_listed(names)})")


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _count(things: list[TensorDifference], what: str) -> str:
    return f"{len(things)} {what}{_s(len(things))}"


def _s(n: int) -> str:
    return "" if n == 1 else "s"
