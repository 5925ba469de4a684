"""All bytes of a GGUF file before its data section, and where each tensor goes.

The file (version 3, little-endian): magic, version, n_tensors, n_kv; per key its name, type and value; per tensor its
name, dimensions (innermost first), type and offset; zeros up to the alignment; the data. A string is a 64-bit length
and its bytes. Byte-identical to gguf-py's GGUFWriter and, for the same values, to ggml's gguf_write.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from ggufpress.errors import GgufError
from ggufpress.gguf.values import Metadata, Scalar, Value, ValueType
from ggufpress.quant.types import QType

MAGIC = b"GGUF"
VERSION = 3
ALIGNMENT = 32
"""The default alignment of tensors (TREE ggml/include/gguf.h, `GGUF_DEFAULT_ALIGNMENT`)."""

MAX_NAME_BYTES = 63
MAX_DIMS = 4
TOGETHER = 1 << 14
"""Strings of an array that are encoded at a time: a whole vocabulary's, each an object of its own, would take memory."""

PACKED = {
    ValueType.UINT8: "B", ValueType.INT8: "b", ValueType.UINT16: "H", ValueType.INT16: "h", ValueType.UINT32: "I",
    ValueType.INT32: "i", ValueType.UINT64: "Q", ValueType.INT64: "q", ValueType.FLOAT32: "f", ValueType.FLOAT64: "d",
    ValueType.BOOL: "?",
}  # fmt: skip
"""How `struct` writes each type of fixed size."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as the header tells of it. `offset` counts bytes from the start of the data section."""

    name: str
    shape: tuple[int, ...]
    qtype: QType
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of its data, without padding."""
        return tensor_bytes(self.shape, self.qtype)


def tensor_bytes(shape: Sequence[int], qtype: QType) -> int:
    """Bytes of a tensor. The last axis of `shape` must be a multiple of the type's block."""
    return prod(shape[:-1]) * qtype.row_bytes(shape[-1] if shape else 1)


def padded(nbytes: int, alignment: int = ALIGNMENT) -> int:
    """`nbytes` and the bytes of padding that follow them."""
    return -(-nbytes // alignment) * alignment


def data_offsets(sizes: Iterable[int], alignment: int = ALIGNMENT) -> list[int]:
    """Where tensors of these sizes in bytes start, counted from the start of the data section.

    Example: `data_offsets([40, 8]) == [0, 64]`
    """
    offsets, end = [], 0
    for nbytes in sizes:
        offsets.append(end)
        end += padded(nbytes, alignment)
    return offsets


def encode_header(metadata: Metadata, tensors: Sequence[TensorInfo], alignment: int = ALIGNMENT) -> bytes:
    """The header of a file with these keys and tensors, in this order, up to where the data section starts.

    Raises GgufError for a value that its type cannot hold and for a name that llama.cpp would refuse.
    """
    stated = metadata.get("general.alignment")
    if tensors and (stated.data if stated else ALIGNMENT) != alignment:
        raise ValueError(f"tensors are aligned to {alignment} bytes, which general.alignment does not say")
    parts = [MAGIC, struct.pack("<IQQ", VERSION, len(tensors), len(metadata))]
    for key, value in metadata.items():
        parts.append(_string(key))
        try:
            parts += _value(value)
        except (struct.error, OverflowError, UnicodeEncodeError, TypeError, AttributeError) as error:
            raise GgufError(f"the value of {key} cannot be written as {_type_name(value)}: {error}") from error
    for tensor in tensors:
        parts.append(_tensor(tensor))
    size = sum(map(len, parts))
    parts.append(bytes(padded(size, alignment) - size))
    return b"".join(parts)


def _tensor(tensor: TensorInfo) -> bytes:
    name = _string(tensor.name)
    if not 0 < len(name) - 8 <= MAX_NAME_BYTES:
        raise GgufError(
            f"the tensor name {tensor.name!r} has {len(name) - 8} bytes, llama.cpp takes 1 to {MAX_NAME_BYTES}"
        )
    n_dims = len(tensor.shape)
    if n_dims > MAX_DIMS:
        raise GgufError(f"tensor {tensor.name} has {n_dims} dimensions, llama.cpp takes at most {MAX_DIMS}")
    return name + struct.pack(f"<I{n_dims}QIQ", n_dims, *reversed(tensor.shape), tensor.qtype.id, tensor.offset)


def _value(value: Value) -> list[bytes]:
    """The type and the value."""
    if value.type is not ValueType.ARRAY:
        return [struct.pack("<I", value.type), *_items(value.type, [value.data])]  # type: ignore[list-item]
    if value.item_type is None or value.item_type is ValueType.ARRAY or not isinstance(value.data, tuple):
        raise TypeError("an array holds scalars of one type")
    head = struct.pack("<IIQ", ValueType.ARRAY, value.item_type, len(value.data))
    return [head, *_items(value.item_type, value.data)]


def _items(item_type: ValueType, items: Sequence[Scalar]) -> list[bytes]:
    if item_type is not ValueType.STRING:
        return [struct.pack(f"<{len(items)}{PACKED[item_type]}", *items)]
    return [_strings(items[start : start + TOGETHER]) for start in range(0, len(items), TOGETHER)]


def _strings(items: Sequence[Scalar]) -> bytes:
    """Strings one after the other, each behind its length."""
    texts: list[bytes] = [item.encode() if isinstance(item, str) else item for item in items]  # type: ignore[misc]
    lengths = [len(text) for text in texts]
    # many strings have a few dozen lengths
    packed = {length: struct.pack("<Q", length) for length in set(lengths)}
    parts = [b""] * (2 * len(texts))
    parts[0::2] = [packed[length] for length in lengths]
    parts[1::2] = texts
    return b"".join(parts)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _type_name(value: Value) -> str:
    return f"ARRAY of {value.item_type.name}" if value.item_type else value.type.name
