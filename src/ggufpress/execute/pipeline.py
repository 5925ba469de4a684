"""The only place where weights flow: read a slab, apply the ops, quantize it for every output, write it in place.

All outputs come from one read of the weights. Slabs are dealt to threads in the order of the checkpoint; buffers come
from a fixed pool, so memory depends on the budget and not on the model. Results do not depend on the number of threads.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import sqrt
from pathlib import Path

from ggufpress.errors import CheckpointError, GgufError, InputError
from ggufpress.execute.converting import convert, loaded, squared_error
from ggufpress.execute.loading import MARGIN, Carver, load, load_bytes
from ggufpress.execute.measuring import measured
from ggufpress.execute.ordered import OrderedHashes
from ggufpress.execute.partfile import PartFile
from ggufpress.execute.slabs import Slab, ample, slabs, smallest
from ggufpress.imatrix.matrix import ImportanceData
from ggufpress.mapping import Derived
from ggufpress.planning import Plan, PlannedTensor
from ggufpress.source.reading import TensorReader
from ggufpress.source.remote import FileRead

MEMORY = 256 << 20
"""Default budget for buffers, in bytes."""
SLAB_BYTES = 4 << 20
"""Buffers of one slab: small enough to stay in the outer caches, large enough that a system call does not matter."""
READ_AHEAD = 8
"""Slabs that the kernel is asked to read before a thread needs them; more where bytes come from far away."""

Progress = Callable[[int, str], None]
"""Called with bytes of source just read and the name of the tensor; from any thread, one call at a time."""

Finished = Callable[[int, "WrittenTensor"], None]
"""Called with the number of an output and what was computed for one of its tensors, when all of its bytes are written."""

Sources = Callable[[Sequence[FileRead]], None]
"""Called with what became of files that are not on this disk: when some were read whole, and once all weights were read."""


@dataclass(frozen=True, slots=True)
class WrittenTensor:
    """What was computed for one tensor of one output. `rmse` only where it was asked for."""

    name: str
    sha256: str
    rmse: float | None


@dataclass(frozen=True, slots=True)
class _Target:
    """One tensor's place in one output: `output` is its number, `part` the file, `start` the offset there."""

    output: int
    part: PartFile
    planned: PlannedTensor
    start: int


@dataclass(frozen=True, slots=True)
class _Job:
    """One tensor and all outputs that want it. `errors` holds, by slab, the sum of squared errors of each target."""

    tensor: Derived
    targets: tuple[_Target, ...]
    hashes: OrderedHashes
    errors: dict[int, list[float]] = field(default_factory=dict)

    @property
    def unpacked(self) -> bool:
        """Whether the blocks of a quantized source become numbers on the way."""
        stored = self.tensor.dtype
        return stored.quantized and any(target.planned.qtype is not stored for target in self.targets)

    @property
    def weight_bytes(self) -> float:
        """Buffer bytes per weight."""
        numbers = 4 if self.unpacked else 0
        return load_bytes(self.tensor) + numbers + sum(target.planned.qtype.bpw / 8 for target in self.targets)

    def results(self, measured: bool) -> Iterator[tuple[_Target, WrittenTensor]]:
        """What was computed for each target, once all slabs are."""
        for number, (target, digest) in enumerate(zip(self.targets, self.hashes.digests(), strict=True)):
            total = sum(self.errors[index][number] for index in sorted(self.errors))
            # the last digits depend on where the slabs are cut
            rmse = float(f"{sqrt(total / self.tensor.n_params):.7e}") if measured else None
            yield target, WrittenTensor(self.tensor.name, digest, rmse)

    @property
    def wanted(self) -> int:
        """Buffer bytes that a slab should have."""
        return max(SLAB_BYTES, int(ample(self.tensor) * self.weight_bytes) + MARGIN)


def stream(
    plan: Plan,
    parts: Sequence[Sequence[PartFile]],
    *,
    threads: int | None = None,
    memory: int = MEMORY,
    measure: bool = False,
    progress: Progress | None = None,
    finished: Finished = lambda output, tensor: None,
    sources: Sources = lambda _: None,
    done: Sequence[Mapping[str, WrittenTensor]] = (),
) -> list[dict[str, WrittenTensor]]:
    """Write the tensors of every output of `plan` into `parts`; returns what was computed, by output and name.

    `parts` are the files of each output, in the order of `plan.outputs`. `memory` bounds the buffers, in bytes. `measure`
    also computes the error of each tensor. `finished` is told when all bytes of a tensor are written, `sources` what was
    read from elsewhere. `done` are tensors by output that are in `parts` already: those that all outputs have are left out.
    Raises InputError where `memory` is too small for a row, WeightError for weights that are not
    finite, and OutputError, CheckpointError, GgufError or HubError for files that fail.
    """
    threads = threads or len(os.sched_getaffinity(0))
    written = [dict(tensors) for tensors in done] or [{} for _ in plan.outputs]
    jobs = [job for job in _jobs(plan, parts) if not all(job.tensor.name in tensors for tensors in written)]
    if not jobs:
        return written
    slot_bytes, n_slots = _slots(jobs, memory, threads)
    from_gguf = plan.model.stored is not None
    with ExitStack() as stack:
        reader = stack.enter_context(TensorReader(error=GgufError if from_gguf else CheckpointError))
        importance = stack.enter_context(ImportanceData(plan.importance)) if plan.importance else None
        jobs = [replace(job, tensor=measured(reader, job.tensor)) for job in jobs]
        run = _Run(jobs, reader, importance, slot_bytes, n_slots, measure, from_gguf, progress, finished, sources)
        run.work(min(threads, n_slots))
        sources(reader.finish())
    for job in jobs:
        for target, tensor in job.results(measure):
            written[target.output][tensor.name] = tensor
    return written


def _jobs(plan: Plan, parts: Sequence[Sequence[PartFile]]) -> list[_Job]:
    targets: dict[str, list[_Target]] = {tensor.name: [] for tensor in plan.model.tensors}
    for number, output in enumerate(plan.outputs):
        for file, part in zip(output.files, parts[number], strict=True):
            for planned in file.tensors:
                targets[planned.name].append(_Target(number, part, planned, len(file.header) + planned.offset))
    return [
        _Job(tensor, tuple(targets[tensor.name]), OrderedHashes(len(targets[tensor.name])))
        for tensor in in_reading_order(plan.model.tensors)
    ]


def in_reading_order(tensors: Sequence[Derived]) -> list[Derived]:
    """The tensors as they are best read: as they are from this disk, and in the order of the files from elsewhere.

    What arrives in a file's own order can be hashed as it arrives.
    """
    files = {file: number for number, file in enumerate(dict.fromkeys(r.file for t in tensors for r in t.sources))}
    if all(isinstance(file, Path) for file in files):
        return list(tensors)
    places = {t.name: min(((files[r.file], r.offset) for r in t.sources), default=(-1, 0)) for t in tensors}
    return sorted(tensors, key=lambda tensor: places[tensor.name])


def _slots(jobs: Sequence[_Job], memory: int, threads: int) -> tuple[int, int]:
    """Bytes per slab and number of slabs in flight within `memory`."""
    largest = max(jobs, key=lambda job: smallest(job.tensor) * job.weight_bytes)
    needed = int(smallest(largest.tensor) * largest.weight_bytes) + MARGIN
    if needed > memory:
        raise InputError(
            f"{largest.tensor.name} has rows that need buffers of {needed:,} bytes, the budget is {memory:,}",
            hint=f"--memory {-(-needed // (1 << 20))}M or more",
        )
    wanted = 2 * threads
    slot_bytes = max(needed, min(max(job.wanted for job in jobs), memory // wanted))
    return slot_bytes, min(wanted, memory // slot_bytes)


class _Run:
    """The state that the threads share."""

    def __init__(
        self,
        jobs: Sequence[_Job],
        reader: TensorReader,
        importance: ImportanceData | None,
        slot_bytes: int,
        n_slots: int,
        measure: bool,
        checked: bool,
        progress: Progress | None,
        finished: Finished,
        sources: Sources,
    ) -> None:
        self._reader = reader
        self._importance = importance
        self._checked = checked
        self._measure = measure
        self._progress = progress
        self._finished = finished
        self._sources = sources
        self._slot_bytes = slot_bytes
        self._slots: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(n_slots):
            self._slots.put(bytearray(slot_bytes))
        self._deal = self._dealing(jobs)
        self._deal_lock = threading.Lock()
        self._progress_lock = threading.Lock()
        self._failed: list[BaseException] = []
        self._stop = threading.Event()

    def work(self, threads: int) -> None:
        """Run all slabs on `threads` threads. Raises the first error of any of them."""
        workers = [threading.Thread(target=self._loop, name=f"ggufpress-{i}", daemon=True) for i in range(threads)]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                while worker.is_alive():
                    worker.join(0.2)
        except BaseException:
            self._reader.stop()
            raise
        finally:
            self._stop.set()
            for worker in workers:
                worker.join()
        if self._failed:
            raise self._failed[0]

    def _dealing(self, jobs: Sequence[_Job]) -> Iterator[tuple[_Job, Slab]]:
        ahead: deque[tuple[_Job, Slab]] = deque()
        waiting = 0
        for job in jobs:
            for slab in slabs(job.tensor, int((min(self._slot_bytes, job.wanted) - MARGIN) / job.weight_bytes)):
                for piece in slab.pieces:
                    if piece.ref:
                        self._reader.advise(piece.ref, piece.start, piece.nbytes)
                ahead.append((job, slab))
                waiting += _stored_bytes(slab)
                while len(ahead) > READ_AHEAD and waiting > self._reader.ahead:
                    first = ahead.popleft()
                    waiting -= _stored_bytes(first[1])
                    yield first
        yield from ahead

    def _loop(self) -> None:
        try:
            while not self._stop.is_set():
                # the slot is taken inside the lock: so the oldest slab always has one, and later ones can wait for it
                with self._deal_lock:
                    dealt = next(self._deal, None)
                    slot = self._take_slot() if dealt else None
                if dealt is None or slot is None:
                    return
                self._process(*dealt, slot)
        except BaseException as error:
            self._failed.append(error)
            self._stop.set()
            self._reader.stop()

    def _take_slot(self) -> bytearray | None:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                return self._slots.get(timeout=0.2)
        return None

    def _process(self, job: _Job, slab: Slab, slot: bytearray) -> None:
        carve = Carver(slot)
        source = load(self._reader, job.tensor, slab, carve)
        found = loaded(job.tensor, slab, source, carve, unpacked=job.unpacked, checked=self._checked)
        outputs, errors = [], []
        for target in job.targets:
            qtype = target.planned.qtype
            data = carve(qtype.row_bytes(slab.elements))
            convert(found, target.planned, data, self._importance)
            target.part.write_at(target.start + qtype.row_bytes(slab.first), data)
            outputs.append(data)
            if self._measure:
                errors.append(squared_error(found, target.planned, data))
        if self._measure:
            job.errors[slab.index] = errors
        if job.hashes.add(slab.index, slab.is_last, outputs, lambda: self._slots.put(slot)):
            for target, tensor in job.results(self._measure):
                self._finished(target.output, tensor)
            self._sources(self._reader.checked())
        if self._progress:
            with self._progress_lock:
                self._progress(_stored_bytes(slab), job.tensor.name)


def _stored_bytes(slab: Slab) -> int:
    return sum(piece.nbytes for piece in slab.pieces)
