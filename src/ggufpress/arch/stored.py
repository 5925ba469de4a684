"""Metadata that stands in the weights: numbers that llama.cpp keeps as keys and checkpoints as tiny tensors.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/llama.py (ApertusModel), conversion/jais.py (JaisModel).
"""

from __future__ import annotations

import numpy as np

from ggufpress.arch.source_names import rule_names
from ggufpress.arch.spec import LAYER, Arch
from ggufpress.errors import MappingError, UnsupportedError
from ggufpress.gguf.values import Value
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from ggufpress.source.reading import TensorReader


def stored_metadata(checkpoint: Checkpoint, arch: Arch) -> tuple[tuple[str, Value], ...]:
    """The keys of `arch.stored`, read from the weights. Raises MappingError where one is missing or is no number."""
    index = rule_names(checkpoint, arch)
    keys = []
    with TensorReader() as reader:
        for stored in arch.stored:
            layers = range(arch.n_layer) if LAYER in stored.source else range(1)
            names = [stored.source.replace(LAYER, str(layer)) for layer in layers]
            if stored.default is not None and names[0] not in index:
                keys.append((stored.key, stored.default))
                continue
            missing = [name for name in names if name not in index]
            if missing:
                raise MappingError(f"{checkpoint.root}: {missing[0]} is missing: {stored.key} is made from it")
            keys.append((stored.key, stored.value(tuple(_first(reader, index[name]) for name in names))))
    return tuple(keys)


def _first(reader: TensorReader, ref: TensorRef) -> float:
    """The first weight of a tensor."""
    size = {"F32": 4, "F16": 2, "BF16": 2}.get(ref.dtype)
    if size is None:
        raise UnsupportedError(f"{ref.file}: {ref.name} is stored as {ref.dtype}, which cannot be read yet")
    if ref.nbytes < size:
        raise MappingError(f"{ref.file}: {ref.name} is empty: its shape is {list(ref.shape)}")
    raw = bytearray(size)
    reader.read_into(ref, 0, memoryview(raw))
    if ref.dtype == "BF16":
        raw = bytearray(b"\0\0" + raw)
    value = float(np.frombuffer(raw, "<f2" if ref.dtype == "F16" else "<f4")[0])
    if not np.isfinite(value):
        raise MappingError(f"{ref.file}: {ref.name} is {value}, which is no number")
    return value
