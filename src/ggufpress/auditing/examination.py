"""Each tensor of a file held against what the source becomes in its type. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np
from numpy.typing import NDArray

from ggufpress import _native
from ggufpress.auditing.blocks import Tally, WorstWeight, judge
from ggufpress.auditing.findings import TensorFinding, Verdict
from ggufpress.errors import CheckpointError, GgufError, ImatrixError
from ggufpress.execute.converting import Loaded, convert
from ggufpress.execute.measuring import measured
from ggufpress.execute.paired import PairedReader, PairedSlab, Progress
from ggufpress.gguf.shards import qtype_of
from ggufpress.imatrix.matrix import Entry, ImportanceData, ImportanceMatrix
from ggufpress.mapping import Derived
from ggufpress.planning import Model, PlannedTensor
from ggufpress.quant.isa import isa_in_use
from ggufpress.quant.types import BF16, F16, F32, QType
from ggufpress.recipe import Decision
from ggufpress.recipe.importance import IMPOSSIBLE_WITHOUT, INDIFFERENT, entry_fits
from ggufpress.recipe.presets import BY_NAME
from ggufpress.recipe.recipe import MADE
from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.reading import TensorReader

BUILD_SHARE = 0.5
"""Up to which part of its blocks another build may differ. Seen: a third (Q2_K, Q5_K), with importance 7 %; another
importance matrix changes nearly all."""
ULPS = 2
"""By how much numbers may differ that were computed: powers of rope tables, exponentials of decays."""
NUMBERS = (F32, F16, BF16)


@dataclass(frozen=True)
class Examined:
    """One tensor on both sides: what it is to be made of, and where the file has it."""

    tensor: Derived
    ref: TensorRef
    qtype: QType
    vias: tuple[QType, ...]
    entry: Entry | None

    def planned(self, via: QType) -> PlannedTensor:
        """The tensor as it is made through `via`."""
        needy = self.qtype in IMPOSSIBLE_WITHOUT
        decision = Decision(self.qtype, "the file", importance="entry" if self.entry else "ones" if needy else "none")
        return PlannedTensor(self.tensor, self.tensor.shape, via, 0, 0, decision, self.entry)


def examined(
    model: Model, refs: Sequence[TensorRef], importance: ImportanceMatrix | None
) -> Iterator[tuple[Examined, TensorFinding | None]]:
    """The tensors of the file that the model has too, in file order; with a finding where there is nothing to compute.

    A tensor may have been rounded to the type of llama-quantize's input file first: the usual one is tried first.
    """
    tensors = {tensor.name: tensor for tensor in model.tensors}
    stored = [
        model.stored_types(preset) for preset in (model.own_type, *(BY_NAME[name] for name in ("F32", "F16", "BF16")))
    ]
    sizes = importance.sizes if importance else {}
    for ref in refs:
        if (tensor := tensors.get(ref.name)) is None:
            continue
        qtype = qtype_of(ref)
        vias = _distinct(tensor, [types[ref.name] for types in stored])
        used = importance is not None and qtype.quantized and qtype not in INDIFFERENT
        entry = None
        if used and importance and qtype is not tensor.dtype and _fits(ref.name, tensor, sizes):
            entry = importance.entries[ref.name]
        unmade = qtype not in MADE or (tensor.dtype not in MADE and tensor.dtype is not qtype)
        finding = None
        if unmade and tensor.dtype is not qtype:
            why = f"{qtype} cannot be made of {tensor.dtype} here"
            finding = _finding(Examined(tensor, ref, qtype, vias, None), vias[0], Verdict.UNCHECKED, Tally(), why=why)
        yield Examined(tensor, ref, qtype, vias, entry), finding


def _distinct(tensor: Derived, vias: Sequence[QType]) -> tuple[QType, ...]:
    """The roundings that can make a difference: to a type that holds the source exactly is none."""
    if tensor.dtype.quantized or tensor.dtype not in NUMBERS:
        return (tensor.dtype,)
    return tuple(dict.fromkeys(F32 if via is tensor.dtype or via not in NUMBERS else via for via in vias))


def _fits(name: str, tensor: Derived, sizes: dict[str, int]) -> bool:
    try:
        return entry_fits(name, tensor.shape, sizes)
    except ImatrixError:
        return False


def examine(
    model: Model,
    refs: Sequence[TensorRef],
    importance: ImportanceMatrix | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Iterator[TensorFinding]:
    """The finding of each tensor of `refs` that `model` has in the same shape, in order. Memory does not depend on either.

    Raises WeightError where the source has weights that are not finite, and the errors of reading both sides.
    """
    isa_in_use()
    error = GgufError if model.stored else CheckpointError
    with ExitStack() as stack:
        data = stack.enter_context(ImportanceData(importance)) if importance else None
        reader = stack.enter_context(PairedReader(TensorReader(error=error), TensorReader(error=GgufError), threads))
        for item, finding in examined(model, refs, importance):
            if finding:
                yield finding
                continue
            known = replace(item, tensor=measured(reader.source, item.tensor))
            yield _best(known, reader, data, progress)


def _best(
    item: Examined, reader: PairedReader, data: ImportanceData | None, progress: Progress | None
) -> TensorFinding:
    """The best finding of all roundings on the way, with the matrix and, as it may not have been used here, without."""
    found: list[TensorFinding] = []
    for entry in (item.entry, None) if item.entry else (None,):
        made = replace(item, entry=entry)
        for via in _nearest_vias(made, reader, data):
            found.append(_examined_once(made, via, reader, data, None if found else progress))
            # the first is the likeliest; where it leaves few blocks, another may leave none
            if found[-1].verdict is Verdict.IDENTICAL or found[-1].n_differ > BUILD_SHARE * found[-1].n_blocks:
                break
        if min(finding.verdict.rank for finding in found) <= Verdict.BUILD.rank:
            break
    return min(found, key=lambda finding: (finding.verdict.rank, finding.n_differ))


def _nearest_vias(item: Examined, reader: PairedReader, data: ImportanceData | None) -> Sequence[QType]:
    """The roundings on the way, the one that gives the most of the first blocks first."""
    if len(item.vias) == 1:
        return item.vias
    differ: dict[QType, int] = {}
    for via in item.vias:
        work = partial(_n_differ, planned=item.planned(via), data=data)
        for _, count in reader.each([(item.tensor, item.ref, item.qtype)], work, only_first=True):
            differ[via] = count
        if not differ[via]:
            break
    return sorted(differ, key=lambda via: differ[via])


def _examined_once(
    item: Examined, via: QType, reader: PairedReader, data: ImportanceData | None, progress: Progress | None
) -> TensorFinding:
    work = partial(_tally, planned=item.planned(via), data=data)
    tallies = reader.each([(item.tensor, item.ref, item.qtype)], work, progress)
    return _judged(item, via, sum((tally for _, tally in tallies), Tally()))


def _judged(item: Examined, via: QType, total: Tally) -> TensorFinding:
    """The verdict over all blocks of a tensor."""
    if not total.n_differ:
        return _finding(item, via, Verdict.IDENTICAL, total)
    if not item.qtype.quantized:
        verdict = Verdict.DIFFERENT if total.not_build else Verdict.BUILD
        return _finding(item, via, verdict, total, total.not_build, total.build_worst, "numbers are not the source's")
    if item.qtype in INDIFFERENT or item.qtype is item.tensor.dtype:
        # neither builds nor importance make a difference here
        return _finding(
            item, via, Verdict.DIFFERENT, total, total.n_differ, total.build_worst, "blocks are not the source's"
        )
    few = total.n_differ <= BUILD_SHARE * max(total.n_telling, 1)
    if few and not total.not_build:
        return _finding(item, via, Verdict.BUILD, total)
    if not few and not total.not_searched:
        return _finding(item, via, Verdict.CONSISTENT, total)
    wrong, worst = (total.not_build, total.build_worst) if few else (total.not_searched, total.search_worst)
    return _finding(
        item, via, Verdict.DIFFERENT, total, wrong, worst, "weights are not at the level nearest to the source's"
    )


def _finding(
    item: Examined,
    via: QType,
    verdict: Verdict,
    total: Tally,
    wrong: int = 0,
    worst: tuple[WorstWeight, ...] = (),
    why: str = "",
) -> TensorFinding:
    bad = verdict in (Verdict.DIFFERENT, Verdict.UNCHECKED)
    return TensorFinding(
        item.tensor.name, item.qtype, item.tensor.shape, verdict, total.n_blocks, total.n_differ, wrong if bad else 0,
        total.apart, via, item.entry is not None, worst if bad else (), why if bad else "",
    )  # fmt: skip


def _made(
    pair: PairedSlab, planned: PlannedTensor, data: ImportanceData | None
) -> tuple[Loaded, NDArray[np.uint8], NDArray[np.uint8]]:
    """The source's weights of a slab, the blocks that we make of them, and the file's."""
    stored, qtype = pair.qtypes
    found = _loaded(pair, unpacked=stored.quantized and qtype is not stored)
    ours = np.empty(qtype.row_bytes(pair.slab.elements), np.uint8)
    convert(found, planned, ours.data, data)
    size = qtype.block_bytes
    return found, ours.reshape(-1, size), np.frombuffer(pair.data, np.uint8).reshape(-1, size)


def _n_differ(pair: PairedSlab, planned: PlannedTensor, data: ImportanceData | None) -> int:
    """How many blocks of a slab are not those that we make."""
    _, mine, theirs = _made(pair, planned, data)
    return int((mine != theirs).any(axis=1).sum())


def _tally(pair: PairedSlab, planned: PlannedTensor, data: ImportanceData | None) -> Tally:
    """One slab: made anew, compared, and the blocks that differ judged."""
    qtype = pair.qtype
    found, mine, theirs = _made(pair, planned, data)
    differ = np.flatnonzero((mine != theirs).any(axis=1))
    if not len(differ):
        return Tally(len(mine), len(mine))
    places = differ + pair.slab.first // qtype.block
    if found.kind not in NUMBERS:
        # a copy that is none
        return Tally(len(mine), len(mine), len(differ), len(differ), len(differ), inf)
    weights = _rounded(found, planned, differ, qtype)
    if not qtype.quantized:
        return _numbers(pair, weights[:, 0], mine[differ], theirs[differ], places)
    # a row of zeros says nothing about how it was made
    telling = len(mine) - int((~_any(found, qtype)).sum())
    build, search, apart, worst, searched = judge(
        weights, theirs[differ], mine[differ], qtype, places, weighed=planned.entry is not None
    )
    return Tally(len(mine), telling, len(differ), build, search, apart, worst, searched)


def _loaded(pair: PairedSlab, *, unpacked: bool) -> Loaded:
    stored = pair.tensor.dtype
    if not unpacked:
        return Loaded(pair.tensor, pair.slab, pair.source, pair.source, stored, checked=False)
    numbers = bytearray(F32.row_bytes(pair.slab.elements))
    _native.dequantize(pair.source, stored.id, numbers, pair.cols)
    return Loaded(pair.tensor, pair.slab, pair.source, memoryview(numbers), F32, checked=False)


def _rounded(found: Loaded, planned: PlannedTensor, which: NDArray[np.int64], qtype: QType) -> NDArray[np.float64]:
    """The source's weights of these blocks, as they were before they got their type: (blocks, weights)."""
    via = F32 if planned.via.quantized else planned.via
    numbers = np.frombuffer(found.numbers, np.uint8).reshape(-1, qtype.block * found.kind.block_bytes)[which]
    out = np.empty((len(which), qtype.block), np.float32)
    _native.convert(np.ascontiguousarray(numbers), found.kind.id, via.id, out, F32.id, qtype.block)
    return out.astype(np.float64)


def _any(found: Loaded, qtype: QType) -> NDArray[np.bool_]:
    """Whether a block of the source has a weight that is not zero, without its sign."""
    bits = {2: np.uint16, 4: np.uint32}[found.kind.block_bytes]
    words = np.frombuffer(found.numbers, bits).reshape(-1, qtype.block)
    some: NDArray[np.bool_] = (words << bits(1)).any(axis=1)
    return some


def _numbers(
    pair: PairedSlab,
    weights: NDArray[np.float64],
    mine: NDArray[np.uint8],
    theirs: NDArray[np.uint8],
    places: NDArray[np.int64],
) -> Tally:
    """Numbers that differ: neighbours of ours where they were computed on the way, else not the source's."""
    signed, lowest = {2: (np.int16, -(1 << 15)), 4: (np.int32, -(1 << 31))}[pair.qtype.block_bytes]
    ours, file = (np.ascontiguousarray(data).view(signed)[:, 0].astype(np.int64) for data in (mine, theirs))
    ordered = [np.where(bits < 0, lowest - bits, bits) for bits in (ours, file)]
    apart = np.abs(ordered[0] - ordered[1])
    computed = bool(pair.tensor.constant) or any(op.arithmetic for op in pair.tensor.ops)
    wrong = apart > (ULPS if computed else 0)
    order = np.argsort(-apart, kind="stable")[:3]
    stand = np.empty(len(theirs), np.float32)
    _native.dequantize(np.ascontiguousarray(theirs), pair.qtype.id, stand, len(theirs))
    worst = tuple(
        WorstWeight(int(places[i]), float(weights[i]), float(stand[i]), float(apart[i]))
        for i in order.tolist()
        if wrong[i]
    )
    n, n_wrong = len(mine), int(wrong.sum())
    total = pair.slab.elements
    return Tally(total, total, n, n_wrong, n_wrong, float(apart.max()), worst, worst)
