"""Whether two stored tensors hold the same weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.reading import TensorReader

CHUNK_BYTES = 1 << 20


def same_weights(first: TensorRef, second: TensorRef) -> bool:
    """Whether two tensors have one shape, one data type (F32, F16 or BF16) and equal weights: 0 is -0, NaN equals nothing.

    Reads chunk by chunk, no further than the first difference. Raises CheckpointError for files that fail.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    parts = [bytearray(min(CHUNK_BYTES, first.nbytes)) for _ in range(2)]
    with TensorReader() as reader:
        for start in range(0, first.nbytes, CHUNK_BYTES):
            length = min(CHUNK_BYTES, first.nbytes - start)
            for ref, part in zip((first, second), parts, strict=True):
                reader.read_into(ref, start, memoryview(part)[:length])
            one, other = (_weights(memoryview(part)[:length], first.dtype) for part in parts)
            if not (one == other).all():
                return False
    return True


def _weights(stored: memoryview, dtype: str) -> NDArray[np.floating]:
    if dtype == "BF16":
        return (np.frombuffer(stored, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(stored, np.float32 if dtype == "F32" else np.float16)
