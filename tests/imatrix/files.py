"""Importance matrices for tests, made by hashlib alone: the same on every machine, in both formats."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ggufpress.gguf.header import TensorInfo, data_offsets, encode_header, padded, tensor_bytes
from ggufpress.gguf.values import Metadata, Value, ValueType, array, text, u32
from ggufpress.quant.types import F32, QType

CHUNKS, CHUNK_SIZE = 7, 512
DATASET = b"calibration.txt"


@dataclass(frozen=True)
class Sums:
    """The numbers of one entry: sums of squares (matrices, columns) and one count per matrix."""

    sums: NDArray[np.float32]
    counts: NDArray[np.float32]


def entries_for(tensors: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Sums]:
    """An entry for each weight of a layer. In every third of stacked experts the first was never chosen."""
    found: dict[str, Sums] = {}
    n_stacked = 0
    for name, shape in tensors:
        if len(shape) < 2 or not name.startswith("blk.") or not name.endswith(".weight"):
            continue
        cols, experts = shape[-1], shape[-3] if len(shape) > 2 else 1
        raw = np.frombuffer(hashlib.shake_128(name.encode()).digest(4 * (cols + 1) * experts), "<u4")
        raw = raw.astype(np.float64).reshape(experts, cols + 1) / 2**32
        counts = np.floor(100 + 3000 * raw[:, 0])
        sums = -np.log(1 - raw[:, 1:]) * counts[:, None]
        if experts > 1:
            if n_stacked % 3 == 0:
                counts[0], sums[0] = 0, 0
            n_stacked += 1
        found[name] = Sums(sums.astype(np.float32), counts.astype(np.float32))
    return found


def gguf_bytes(entries: Mapping[str, Sums], more: Metadata | None = None) -> bytes:
    """As llama-imatrix writes it: NAME.in_sum2 and NAME.counts, F32."""
    keys: Metadata = {
        "general.type": text("imatrix"),
        "imatrix.datasets": array(ValueType.STRING, [DATASET]),
        "imatrix.chunk_count": u32(CHUNKS),
        "imatrix.chunk_size": u32(CHUNK_SIZE),
    }
    arrays: dict[str, NDArray[np.float32]] = {}
    for name, entry in entries.items():
        arrays[f"{name}.in_sum2"] = entry.sums
        arrays[f"{name}.counts"] = entry.counts.reshape(-1, 1)
    return gguf_of(keys | (more or {}), {name: (data, F32) for name, data in arrays.items()})


def gguf_of(keys: Mapping[str, Value], arrays: Mapping[str, tuple[NDArray[np.float32], QType]]) -> bytes:
    """A GGUF file of these keys and tensors."""
    sizes = [tensor_bytes(data.shape, qtype) for data, qtype in arrays.values()]
    infos = [
        TensorInfo(name, data.shape, qtype, offset)
        for (name, (data, qtype)), offset in zip(arrays.items(), data_offsets(sizes), strict=True)
    ]
    parts = [encode_header(dict(keys), infos)]
    parts += [
        data.tobytes()[:size] + bytes(padded(size) - size)
        for (data, _), size in zip(arrays.values(), sizes, strict=True)
    ]
    return b"".join(parts)


def dat_bytes(entries: Mapping[str, Sums], *, tail: bool = True) -> bytes:
    """The older format: means times the number of calls, one count per entry. `tail`: with chunks and data set."""
    parts = [struct.pack("<i", len(entries))]
    for name, entry in entries.items():
        counts = entry.counts[:, None]
        means = np.where(counts > 0, entry.sums / np.maximum(counts, 1), 1).astype(np.float32)
        raw = name.encode()
        parts += [struct.pack("<i", len(raw)), raw, struct.pack("<ii", CHUNKS, means.size)]
        parts.append((means * np.float32(CHUNKS)).tobytes())
    if tail:
        parts += [struct.pack("<ii", CHUNKS, len(DATASET)), DATASET]
    return b"".join(parts)
