"""GGUF metadata values: a type and what it holds.

The type numbers are those of the GGUF specification (ggml docs/gguf.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias


class ValueType(IntEnum):
    """The type tag that stands before a value in the file."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


Scalar: TypeAlias = bool | int | float | str | bytes


@dataclass(frozen=True, slots=True)
class Value:
    """One metadata value. `data` is a scalar, or a tuple of scalars where `type` is ARRAY.

    A string is `str`, or `bytes` where it may not be UTF-8 (vocabularies).
    """

    type: ValueType
    data: Scalar | tuple[Scalar, ...]
    item_type: ValueType | None = None


Metadata: TypeAlias = dict[str, Value]
"""Keys in file order. Setting a key again keeps its place, as in llama.cpp's converter."""


def text(data: str | bytes) -> Value:
    """A STRING value."""
    return Value(ValueType.STRING, data)


def u32(data: int) -> Value:
    """A UINT32 value."""
    return Value(ValueType.UINT32, data)


def f32(data: float) -> Value:
    """A FLOAT32 value, rounded when it is written."""
    return Value(ValueType.FLOAT32, data)


def flag(data: bool) -> Value:
    """A BOOL value."""
    return Value(ValueType.BOOL, data)


def array(item_type: ValueType, items: Iterable[Scalar]) -> Value:
    """An ARRAY value whose items all have `item_type`."""
    return Value(ValueType.ARRAY, tuple(items), item_type)
