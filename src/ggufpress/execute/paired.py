"""The same weights of two sides, slab by slab, on all cores, with the results in order.

One side may be a checkpoint whose weights pass through ops; the other is a tensor that lies in a file as it is. Memory
does not depend on the model: each thread has buffers for one slab.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from ggufpress.execute.loading import MARGIN, Carver, load, load_bytes
from ggufpress.execute.slabs import Slab, slabs, smallest
from ggufpress.mapping import Derived
from ggufpress.quant.types import QType
from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.reading import TensorReader

WEIGHTS = 1 << 18
"""Weights that are handled at a time: with their values in double precision they stay in the outer caches."""

Result = TypeVar("Result")
Progress = Callable[[int, str], None]
"""Called with bytes of the file just read and the name of the tensor, from one thread."""


@dataclass(frozen=True, slots=True)
class PairedSlab:
    """A run of rows of both sides: `source` in the source's stored type after all ops, `data` in the file's type."""

    tensor: Derived
    slab: Slab
    source: memoryview
    data: memoryview
    qtype: QType

    @property
    def qtypes(self) -> tuple[QType, QType]:
        """The types of both sides."""
        return self.tensor.dtype, self.qtype

    @property
    def cols(self) -> int:
        """Weights in a row, or in the slab where that is less."""
        return min(self.tensor.shape[-1], self.slab.elements)


class PairedReader:
    """Reads a source and a file beside each other. A context manager around the readers of both and a pool of threads."""

    def __init__(self, source: TensorReader, file: TensorReader, threads: int | None = None) -> None:
        self.source = source
        self.file = file
        self._threads = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="pairs")
        self._local = threading.local()

    def __enter__(self) -> PairedReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the files. Raises CheckpointError for a source elsewhere that is not the file that its host lists."""
        self._pool.shutdown(cancel_futures=True)
        try:
            if kind is None:
                self.source.finish()
        finally:
            self.source.close()
            self.file.close()

    def each(
        self,
        pairs: Iterable[tuple[Derived, TensorRef, QType]],
        work: Callable[[PairedSlab], Result],
        progress: Progress | None = None,
        *,
        only_first: bool = False,
    ) -> Iterator[tuple[Derived, Result]]:
        """What `work` makes of every slab of `pairs`, in order: source, where the file has it, and the file's type.

        Both must have the same number of weights. `only_first`: of each tensor only the first slab. Raises what reading
        either side raises.
        """
        running: deque[tuple[Derived, int, Future[Result]]] = deque()

        def oldest() -> tuple[Derived, Result]:
            tensor, nbytes, future = running.popleft()
            result = future.result()
            if progress:
                progress(nbytes, tensor.name)
            return tensor, result

        for tensor, ref, qtype in pairs:
            for slab in islice(slabs(tensor, WEIGHTS), 1 if only_first else None):
                for piece in slab.pieces:
                    if piece.ref:
                        self.source.advise(piece.ref, piece.start, piece.nbytes)
                nbytes = qtype.row_bytes(slab.elements)
                running.append((tensor, nbytes, self._pool.submit(self._one, tensor, ref, qtype, slab, work)))
                if len(running) > 4 * self._threads:
                    yield oldest()
        while running:
            yield oldest()

    def _one(
        self, tensor: Derived, ref: TensorRef, qtype: QType, slab: Slab, work: Callable[[PairedSlab], Result]
    ) -> Result:
        weights = max(WEIGHTS, smallest(tensor))
        carve = Carver(self._buffer(int(weights * (load_bytes(tensor) + qtype.bpw / 8)) + MARGIN))
        source = load(self.source, tensor, slab, carve)
        data = carve(qtype.row_bytes(slab.elements))
        self.file.read_into(ref, qtype.row_bytes(slab.first), data)
        return work(PairedSlab(tensor, slab, source, data, qtype))

    def _buffer(self, nbytes: int) -> bytearray:
        buffer: bytearray | None = getattr(self._local, "buffer", None)
        if buffer is None or len(buffer) < nbytes:
            buffer = self._local.buffer = bytearray(nbytes)
        return buffer
