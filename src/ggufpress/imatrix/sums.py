"""What an importance matrix is made of before it is a file: per tensor sums of squares, and how many rows they are of.

Source: llama.cpp of llama-cpp-python 0.3.36, tools/imatrix/imatrix.cpp (`load_imatrix`, `save_imatrix`,
`save_imatrix_legacy`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import ImatrixError
from ggufpress.gguf.header import TensorInfo, data_offsets, encode_header, padded
from ggufpress.gguf.values import Metadata, ValueType, array, text, u32
from ggufpress.imatrix.matrix import ImportanceData, ImportanceMatrix
from ggufpress.imatrix.read import CHUNK_COUNT, CHUNK_SIZE, COUNTS, DATASETS, SUMS
from ggufpress.quant.types import F32


@dataclass(frozen=True, eq=False)
class Sums:
    """Of one tensor: sums of squares (float32), all of whose numbers divide evenly among the counts (int64)."""

    values: NDArray[np.float32]
    counts: NDArray[np.int64]

    def plus(self, other: Sums, name: str) -> Sums:
        """Both together. One count stands for all where the other has several. Raises ImatrixError where sizes differ."""
        if self.values.size != other.values.size:
            raise ImatrixError(
                f"{name} has {self.values.size:,} sums in one matrix and {other.values.size:,} in another"
            )
        most = max(self.counts.size, other.counts.size)
        for counts in (self.counts, other.counts):
            if counts.size not in (1, most):
                raise ImatrixError(
                    f"{name} has {self.counts.size} counts in one matrix and {other.counts.size} in another"
                )
        return Sums(self.values + other.values, self.counts + other.counts)


@dataclass(frozen=True, eq=False)
class Collected:
    """An importance matrix in memory, of a text read in chunks of `chunk_size` tokens; `datasets` names the texts."""

    entries: Mapping[str, Sums]
    datasets: tuple[bytes, ...]
    chunk_size: int

    @property
    def chunk_count(self) -> int:
        """Whole chunks that the most frequent entry has seen."""
        return max((int(entry.counts.max()) for entry in self.entries.values()), default=0) // self.chunk_size

    @property
    def idle(self) -> dict[str, int]:
        """For each tensor with experts that were never chosen, how many."""
        missing = {name: int((entry.counts == 0).sum()) for name, entry in self.entries.items()}
        return {name: count for name, count in missing.items() if count}


def loaded(matrix: ImportanceMatrix, chunk_size: int) -> Collected:
    """The sums of a file. Those of the older format are means: they are counted with `chunk_size` rows per call."""
    factor = 1 if matrix.format == "gguf" else chunk_size
    entries = {}
    with ImportanceData(matrix) as data:
        for name, entry in matrix.entries.items():
            counts = np.array(entry.counts, np.int64) * factor
            entries[name] = Sums(data.sums(entry) * np.float32(factor), counts)
    return Collected(entries, matrix.datasets, chunk_size)


def merged(parts: Iterable[Collected], chunk_size: int) -> Collected:
    """The sums of all parts added up in order. Raises ImatrixError where a tensor has not the same size in all."""
    entries: dict[str, Sums] = {}
    datasets: tuple[bytes, ...] = ()
    for part in parts:
        datasets += part.datasets
        for name, entry in part.entries.items():
            entries[name] = entries[name].plus(entry, name) if name in entries else entry
    return Collected(entries, datasets, chunk_size)


def gguf_bytes(collected: Collected, more: Metadata | None = None) -> bytes:
    """The matrix as a GGUF file, as llama-imatrix writes it; `more` are further keys."""
    keys: Metadata = {
        "general.type": text("imatrix"),
        DATASETS: array(ValueType.STRING, collected.datasets),
        CHUNK_COUNT: u32(collected.chunk_count),
        CHUNK_SIZE: u32(collected.chunk_size),
        **(more or {}),
    }
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, entry in sorted(collected.entries.items()):
        n_counts = entry.counts.size
        lead = (n_counts,) if n_counts > 1 else ()
        arrays[name + SUMS] = entry.values.reshape(*lead, -1)
        arrays[name + COUNTS] = entry.counts.astype(np.float32).reshape(*lead, 1)
    offsets = data_offsets([data.nbytes for data in arrays.values()])
    infos = [
        TensorInfo(name, data.shape, F32, offset) for (name, data), offset in zip(arrays.items(), offsets, strict=True)
    ]
    parts = [encode_header(keys, infos)]
    for data in arrays.values():
        parts += [data.tobytes(), bytes(padded(data.nbytes) - data.nbytes)]
    return b"".join(parts)


def dat_bytes(collected: Collected) -> bytes:
    """The matrix in the older format: means times calls, one count per tensor; 1 where an expert was never chosen."""
    used = {name: entry for name, entry in sorted(collected.entries.items()) if entry.counts.any()}
    parts = [struct.pack("<i", len(used))]
    for name, entry in used.items():
        calls = -(-int(entry.counts.max()) // collected.chunk_size)
        counts = entry.counts[:, None].astype(np.float32)
        values = entry.values.reshape(entry.counts.size, -1)
        means = np.where(counts > 0, values / np.maximum(counts, 1), np.float32(1)) * np.float32(calls)
        raw = name.encode()
        parts += [struct.pack("<i", len(raw)), raw, struct.pack("<ii", calls, means.size)]
        parts.append(means.astype("<f4").tobytes())
    dataset = collected.datasets[-1] if collected.datasets else b""
    parts += [struct.pack("<ii", collected.chunk_count, len(dataset)), dataset]
    return b"".join(parts)


def with_dataset(collected: Collected, name: bytes) -> Collected:
    """The same, made of one more text."""
    return replace(collected, datasets=(*collected.datasets, name))
