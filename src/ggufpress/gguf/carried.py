"""Keys and shapes as ggml carries them from one file to another: what gguf-split and llama-quantize do to both.

Source: TREE ggml/src/gguf.cpp (`gguf_set_kv`, `gguf_write_out`), ggml/src/ggml.c (`ggml_n_dims`).
"""

from __future__ import annotations

from ggufpress.gguf.values import Metadata, Scalar, Value, ValueType


def carried_metadata(metadata: Metadata) -> Metadata:
    """The keys in their order, each string cut where a NUL stands in it: ggml passes C strings."""
    return {key: _carried(value) for key, value in metadata.items()}


def set_last(metadata: Metadata, key: str, value: Value) -> None:
    """Set `key`; one that exists moves to the end, as ggml's `gguf_set_val_*` remove a key and append it."""
    metadata.pop(key, None)
    metadata[key] = value


def carried_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape as ggml counts dimensions: without leading axes of length 1, but at least one axis."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return shape or (1,)


def n_cut(metadata: Metadata) -> int:
    """How many strings `carried_metadata` shortens."""
    return sum(_has_nul(item) for value in metadata.values() for item in _strings(value))


def _carried(value: Value) -> Value:
    strings = _strings(value)
    # one search through all of a vocabulary
    texts = "\0" in "".join([item for item in strings if isinstance(item, str)])
    if not texts and not any(_has_nul(item) for item in strings if isinstance(item, bytes)):
        return value
    if isinstance(value.data, tuple):
        return Value(value.type, tuple(_cut(item) for item in value.data), value.item_type)
    return Value(value.type, _cut(value.data))


def _strings(value: Value) -> tuple[Scalar, ...]:
    if ValueType.STRING not in (value.type, value.item_type):
        return ()
    return value.data if isinstance(value.data, tuple) else (value.data,)


def _has_nul(item: Scalar) -> bool:
    return "\0" in item if isinstance(item, str) else isinstance(item, bytes) and b"\0" in item


def _cut(item: Scalar) -> Scalar:
    if isinstance(item, str):
        return item.split("\0", 1)[0]
    return item.split(b"\0", 1)[0] if isinstance(item, bytes) else item
