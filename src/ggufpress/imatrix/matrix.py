"""An importance matrix as one frozen value, and its numbers as llama-quantize weighs with them.

For each tensor the file has, per column, a sum of squared activations, and a count to divide it by: one for the tensor,
or one per expert. An expert that was never chosen counts 0, and all its columns weigh 1.
Source: llama.cpp of llama-cpp-python 0.3.36, common/imatrix-loader.cpp, tools/quantize/quantize.cpp (`load_imatrix`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import ImatrixError
from ggufpress.files import FileStamp, ReadOnlyFile

CHUNK = 1 << 18
"""Numbers that are looked at in one go."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The numbers of one tensor: `n_values` float32 at `offset` of the file, the first `n_values / len(counts)` of which
    belong to the first of `counts`, and so on.
    """

    name: str
    n_values: int
    offset: int
    counts: tuple[int, ...]

    @property
    def per_count(self) -> int:
        """Numbers that share a count."""
        return self.n_values // len(self.counts)


@dataclass(frozen=True)
class ImportanceMatrix:
    """An importance matrix, described: its numbers stay in the file.

    `chunk_size` is None in the older format, which also has one count per tensor only: the calls of llama-imatrix.
    """

    path: Path
    format: Literal["gguf", "dat"]
    entries: Mapping[str, Entry]
    datasets: tuple[bytes, ...]
    chunk_count: int
    chunk_size: int | None
    stamp: FileStamp = field(compare=False, repr=False)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many numbers each entry has."""
        return {name: entry.n_values for name, entry in self.entries.items()}

    def chosen(self, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> ImportanceMatrix:
        """The matrix with only the entries whose names hold a part of `include`, or without those that hold one of `exclude`.

        Raises ImatrixError where a part is in no name.
        """
        for part in (*include, *exclude):
            if not any(part in name for name in self.entries):
                raise ImatrixError(
                    f"{self.path} has no entry with {part!r} in its name", hint="ggufpress imatrix show lists them"
                )
        kept = {
            name: entry
            for name, entry in self.entries.items()
            if (not include or any(part in name for part in include)) and not any(part in name for part in exclude)
        }
        return self if len(kept) == len(self.entries) else replace(self, entries=kept)


class ImportanceData:
    """The numbers of an importance matrix, open for reading from any thread. A context manager."""

    def __init__(self, matrix: ImportanceMatrix) -> None:
        self._file = ReadOnlyFile(matrix.path, ImatrixError)
        try:
            self._file.check(matrix.stamp)
        except ImatrixError:
            self._file.close()
            raise

    def sums(self, entry: Entry, first: int = 0, count: int | None = None) -> NDArray[np.float32]:
        """`count` sums of `entry` from number `first` on, by default all, as they are in the file."""
        count = entry.n_values - first if count is None else count
        out = bytearray(4 * count)
        self._file.read_into(entry.offset + 4 * first, memoryview(out), f"the entry {entry.name}")
        return np.frombuffer(out, np.float32)

    def weights(self, entry: Entry, first: int = 0, count: int | None = None) -> NDArray[np.float32]:
        """The same numbers, divided by their counts in float32; 1 where an expert counts 0.

        The older format keeps its sums where the count is 0. Exact: llama-quantize's very floats.
        """
        values = self.sums(entry, first, count)
        at = 0
        while at < len(values):
            which, inside = divmod(first + at, entry.per_count)
            part = values[at : at + entry.per_count - inside]
            if entry.counts[which] > 0:
                part /= np.float32(entry.counts[which])
            else:
                part[:] = 1
            at += len(part)
        return values

    def __enter__(self) -> ImportanceData:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def check_finite(matrix: ImportanceMatrix) -> None:
    """Raise ImatrixError that names the first entry with a weight that is no finite number, and how many have one."""
    bad: list[str] = []
    with ImportanceData(matrix) as data:
        for entry in matrix.entries.values():
            for first in range(0, entry.n_values, CHUNK):
                weights = data.weights(entry, first, min(CHUNK, entry.n_values - first))
                if not np.isfinite(weights).all():
                    at = first + int(np.flatnonzero(~np.isfinite(weights))[0])
                    bad.append(f"{entry.name} at {at}")
                    break
    if bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise ImatrixError(
            f"{matrix.path} has entries with weights that are no finite numbers: {bad[0]}{more}",
            hint="--exclude-weights leaves entries out; better make the matrix again",
        )
