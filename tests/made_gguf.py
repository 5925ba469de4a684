"""GGUF files made on the spot: any keys, tensors and alignment; the bytes of the weights follow from the name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ggufpress.gguf.header import ALIGNMENT, TensorInfo, data_offsets, encode_header, padded, tensor_bytes
from ggufpress.gguf.values import Metadata, text, u32
from ggufpress.quant.types import QType

Spec = tuple[str, tuple[int, ...], QType]


def weights(name: str, nbytes: int) -> bytes:
    """Bytes that are small finite numbers in every float type, different for each name."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    # a multiplicative walk: no generator of numpy, whose stream may change between versions; bytes below 0x3C
    steps = np.arange(nbytes, dtype=np.uint64) * np.uint64(2654435761) + np.uint64(seed)
    return ((steps >> np.uint64(13)) % np.uint64(0x3C)).astype(np.uint8).tobytes()


def make_gguf(
    path: Path,
    tensors: Sequence[Spec],
    keys: Metadata | None = None,
    *,
    alignment: int = ALIGNMENT,
    sparse: bool = False,
) -> Path:
    """Write a file with these tensors (name, shape in NumPy order, type). `sparse`: all weights are zero, on no disk."""
    metadata: Metadata = {"general.architecture": text("llama"), **(keys or {})}
    if alignment != ALIGNMENT:
        metadata["general.alignment"] = u32(alignment)
    offsets = data_offsets((tensor_bytes(shape, qtype) for _, shape, qtype in tensors), alignment)
    infos = [TensorInfo(*spec, offset) for spec, offset in zip(tensors, offsets, strict=True)]
    header = encode_header(metadata, infos, alignment)
    with path.open("wb") as stream:
        stream.write(header)
        for info in infos:
            if not sparse:
                stream.seek(len(header) + info.offset)
                stream.write(weights(info.name, info.nbytes))
        end = infos[-1].offset + infos[-1].nbytes if infos else 0
        stream.truncate(len(header) + padded(end, alignment))
    return path
