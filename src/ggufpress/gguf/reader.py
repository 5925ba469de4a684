"""What a GGUF file says of itself, checked: keys, tensors and where their bytes lie. No weight is read.

The file may be hostile. Whatever ggml's loader (TREE ggml/src/gguf.cpp, and src/llama-model-loader.h for the file's
length) refuses is refused here, and more: see docs/concepts/reading.md. No claim of the file leads to an allocation
before as many bytes are known to be there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from types import TracebackType

from ggufpress.errors import GgufError
from ggufpress.files import FileStamp, ReadOnlyFile
from ggufpress.gguf.header import (
    ALIGNMENT,
    MAGIC,
    MAX_DIMS,
    MAX_NAME_BYTES,
    PACKED,
    VERSION,
    TensorInfo,
    padded,
    tensor_bytes,
)
from ggufpress.gguf.values import Metadata, Scalar, Value, ValueType
from ggufpress.quant.types import BY_ID, QType

MAX_HEADER_BYTES = 128 << 20
"""Eight times the header of gemma-4, with 262k tokens and 515k merges."""

MAX_ITEMS = 1 << 23
"""Array items in all keys together: six times those of gemma-4."""

MAX_KEY_BYTES = 65535
MAX_LENGTH = 1 << 63
WINDOW = 1 << 20

_OLD_MAGIC = (b"lmgg", b"fmgg", b"tjgg", b"algg")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SMALLEST_KEY = 8 + 1 + 4 + 1
_SMALLEST_TENSOR = 8 + 1 + 4 + 4 + 8


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor of a file. `offset` counts bytes from the start of the file; `shape` is in NumPy order."""

    name: str
    shape: tuple[int, ...]
    qtype: QType
    offset: int
    nbytes: int

    @property
    def n_params(self) -> int:
        """Number of weights."""
        return prod(self.shape)


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file, described. `tensors` are in file order, and their data lies in that order without holes.

    `header_end` is where the header ends, `data_offset` where the data starts, after padding.
    """

    path: Path
    version: int
    alignment: int
    metadata: Metadata
    tensors: tuple[GgufTensor, ...]
    header_end: int
    data_offset: int
    file_size: int
    stamp: FileStamp = field(compare=False, repr=False)

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """The tensors as `encode_header` takes them."""
        return tuple(TensorInfo(t.name, t.shape, t.qtype, t.offset - self.data_offset) for t in self.tensors)

    @property
    def data_end(self) -> int:
        """Where the last tensor's data ends, in bytes from the start of the file."""
        return self.tensors[-1].offset + self.tensors[-1].nbytes if self.tensors else self.data_offset

    @property
    def full_size(self) -> int:
        """Size in bytes as llama.cpp writes the file: the last tensor is padded too."""
        return self.data_offset + padded(self.data_end - self.data_offset, self.alignment)

    @property
    def trailing_bytes(self) -> int:
        """Bytes after the last tensor and its padding. Negative where padding is missing; 0 is normal."""
        return self.file_size - self.full_size


class GgufData:
    """The data of a GGUF file, open for reading. A context manager, for any number of threads.

    Raises GgufError where the file is not the one that was described.
    """

    def __init__(self, described: GgufFile) -> None:
        self._file = ReadOnlyFile(described.path, GgufError)
        try:
            self._file.check(described.stamp)
        except GgufError:
            self._file.close()
            raise

    def read_into(self, tensor: GgufTensor, start: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes of `tensor` from its byte `start` on. Raises GgufError where it cannot."""
        if not 0 <= start <= start + buffer.nbytes <= tensor.nbytes:
            raise ValueError(f"bytes {start} to {start + buffer.nbytes} are not all in {tensor.name}")
        self._file.read_into(tensor.offset + start, buffer, f"tensor {tensor.name!r}")

    def read_at(self, offset: int, nbytes: int, what: str) -> bytes:
        """`nbytes` bytes of the file from `offset` on, called `what` in an error."""
        return self._file.read(offset, nbytes, what)

    def __enter__(self) -> GgufData:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_gguf(path: Path) -> GgufFile:
    """The keys and tensors of the GGUF file at `path` (versions 2 and 3, little-endian).

    Raises GgufError where it is something else, or broken, or refers to bytes that it does not have.
    """
    with ReadOnlyFile(path, GgufError) as file:
        cursor = _Cursor(file)
        version, n_tensors, n_keys = _read_start(cursor)
        cursor.expect(n_keys, _SMALLEST_KEY, "keys")
        metadata = _read_metadata(cursor, n_keys)
        alignment = _alignment(metadata, path)
        cursor.expect(n_tensors, _SMALLEST_TENSOR, "tensors")
        infos = _read_tensors(cursor, n_tensors)
        header_end = cursor.tell()
        data_offset = padded(header_end, alignment)
        if not infos:
            data_offset = min(data_offset, file.size)
        tensors = _place(infos, data_offset, alignment, file)
        return GgufFile(path, version, alignment, metadata, tensors, header_end, data_offset, file.size, file.stamp)


class _Cursor:
    """Reads a header piece by piece through a window. Checks every length against what the file has left."""

    def __init__(self, file: ReadOnlyFile) -> None:
        self.path = file.path
        self.n_items = 0
        self._file = file
        self._end = min(file.size, MAX_HEADER_BYTES)
        self._base = 0
        self._window = b""
        self._at = 0

    def tell(self) -> int:
        return self._base + self._at

    def expect(self, count: int, smallest: int, what: str) -> None:
        """Raise where `count` things of at least `smallest` bytes each cannot follow."""
        if count * smallest > self._end - self.tell():
            raise GgufError(f"{self.path} claims to hold {count:,} {what}, more than its {self._file.size:,} bytes can")

    def take(self, nbytes: int, what: str) -> bytes:
        if nbytes > len(self._window) - self._at:
            self._fill(nbytes, what)
        start = self._at
        self._at += nbytes
        return self._window[start : self._at]

    def numbers(self, form: struct.Struct, what: str) -> tuple[int, ...]:
        return form.unpack(self.take(form.size, what))

    def strings(self, count: int, what: str) -> list[bytes]:
        """`count` strings. The loop is spelled out for speed: a vocabulary has up to a million."""
        self.expect(count, 8, f"strings in {what}")
        found, window, at, unpack = [], self._window, self._at, _U64.unpack_from
        for _ in range(count):
            if at + 8 > len(window):
                self._at = at
                self._fill(8, what)
                window, at = self._window, self._at
            start = at + 8
            at = start + unpack(window, at)[0]
            if at > len(window):
                length, self._at = at - start, start
                self._fill(length, what)
                window, start = self._window, self._at
                at = start + length
            found.append(window[start:at])
        self._at = at
        return found

    def _fill(self, nbytes: int, what: str) -> None:
        """Make the next `nbytes` bytes part of the window."""
        here = self.tell()
        if nbytes > self._end - here:
            if self._end < self._file.size and nbytes <= self._file.size - here:
                raise GgufError(f"{self.path}: its header is longer than {MAX_HEADER_BYTES:,} bytes")
            raise GgufError(
                f"{self.path} ends within {what}: {nbytes:,} bytes expected, {self._file.size - here:,} left",
                hint="it is incomplete or broken: download or copy it again",
            )
        self._window = self._file.read(here, min(max(nbytes, WINDOW), self._end - here), what)
        self._base, self._at = here, 0


_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_TYPE_AND_OFFSET = struct.Struct("<IQ")


def _read_start(cursor: _Cursor) -> tuple[int, int, int]:
    """Version, number of tensors, number of keys."""
    path = cursor.path
    magic = cursor.take(4, "its magic")
    if magic != MAGIC:
        raise _foreign(magic, path)
    (version,) = cursor.numbers(_U32, "its version")
    if version & 0xFFFF == 0 and version:
        raise GgufError(f"{path} is a big-endian GGUF file, which is not read")
    if version == 1:
        raise GgufError(f"{path} is a GGUF file of version 1, which llama.cpp does not read any more")
    if not 2 <= version <= VERSION:
        raise GgufError(f"{path} is a GGUF file of version {version}, and 2 and {VERSION} are known")
    n_tensors, n_keys = cursor.numbers(struct.Struct("<QQ"), "its counts")
    return version, n_tensors, n_keys


def _foreign(magic: bytes, path: Path) -> GgufError:
    if magic in _OLD_MAGIC:
        return GgufError(f"{path} is a GGML file from before GGUF", hint="convert the original checkpoint instead")
    if magic == b"vers":
        return GgufError(f"{path} is a pointer of git lfs, not the file itself", hint="run git lfs pull")
    return GgufError(f"{path} is not a GGUF file: it starts with {magic!r}")


def _read_metadata(cursor: _Cursor, count: int) -> Metadata:
    metadata: Metadata = {}
    for index in range(count):
        key = _text(cursor, f"key {index}", MAX_KEY_BYTES)
        if key in metadata:
            raise GgufError(f"{cursor.path}: key {key!r} appears twice")
        metadata[key] = _read_value(cursor, f"the value of {key!r}")
    return metadata


def _text(cursor: _Cursor, what: str, longest: int) -> str:
    """A name: not empty, UTF-8, without control characters."""
    (length,) = cursor.numbers(_U64, what)
    if not 0 < length <= longest:
        raise GgufError(f"{cursor.path}: the name of {what} has {length:,} bytes, 1 to {longest:,} are allowed")
    data = cursor.take(length, what)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise GgufError(f"{cursor.path}: the name of {what} is not UTF-8: {data[:80]!r}") from None
    if _CONTROL.search(text):
        raise GgufError(f"{cursor.path}: the name of {what} has control characters: {text[:80]!r}")
    return text


def _read_value(cursor: _Cursor, what: str) -> Value:
    type_ = _value_type(cursor, what)
    if type_ is not ValueType.ARRAY:
        return Value(type_, _read_items(cursor, type_, 1, what)[0])
    item_type = _value_type(cursor, what)
    if item_type is ValueType.ARRAY:
        raise GgufError(f"{cursor.path}: {what} is an array of arrays, which llama.cpp does not read")
    (count,) = cursor.numbers(_U64, what)
    cursor.n_items += count
    if cursor.n_items > MAX_ITEMS:
        raise GgufError(f"{cursor.path}: {what} has {count:,} items; all arrays together may have {MAX_ITEMS:,}")
    return Value(type_, tuple(_read_items(cursor, item_type, count, what)), item_type)


def _value_type(cursor: _Cursor, what: str) -> ValueType:
    (number,) = cursor.numbers(_U32, what)
    try:
        return ValueType(number)
    except ValueError:
        raise GgufError(f"{cursor.path}: {what} has the unknown type {number}") from None


def _read_items(cursor: _Cursor, type_: ValueType, count: int, what: str) -> Sequence[Scalar]:
    if type_ is ValueType.STRING:
        texts = cursor.strings(count, what)
        try:
            return [text.decode() for text in texts]
        except UnicodeDecodeError:
            return [_str_or_bytes(text) for text in texts]
    form = struct.Struct(f"<{count}{PACKED[type_]}")
    data = cursor.take(form.size, what)
    if type_ is ValueType.BOOL and data.translate(None, b"\x00\x01"):
        raise GgufError(f"{cursor.path}: {what} has a BOOL that is neither 0 nor 1")
    return form.unpack(data)


def _str_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _alignment(metadata: Metadata, path: Path) -> int:
    value = metadata.get("general.alignment")
    if value is None:
        return ALIGNMENT
    if value.type is not ValueType.UINT32 or not isinstance(value.data, int):
        raise GgufError(f"{path}: general.alignment is {value.type.name}, not UINT32")
    if value.data.bit_count() != 1:
        raise GgufError(f"{path}: general.alignment is {value.data}, not a power of two")
    return value.data


def _read_tensors(cursor: _Cursor, count: int) -> list[TensorInfo]:
    infos: list[TensorInfo] = []
    seen: set[str] = set()
    for index in range(count):
        name = _text(cursor, f"tensor {index}", MAX_NAME_BYTES)
        if name in seen:
            raise GgufError(f"{cursor.path}: tensor {name!r} appears twice")
        seen.add(name)
        infos.append(_read_tensor(cursor, name))
    return infos


def _read_tensor(cursor: _Cursor, name: str) -> TensorInfo:
    what = f"tensor {name!r}"
    (n_dims,) = cursor.numbers(_U32, what)
    if n_dims > MAX_DIMS:
        raise GgufError(f"{cursor.path}: {what} has {n_dims} dimensions, more than {MAX_DIMS}")
    shape = cursor.numbers(struct.Struct(f"<{n_dims}Q"), what)[::-1]
    if prod(max(1, length) for length in shape) >= MAX_LENGTH:
        raise GgufError(f"{cursor.path}: {what} has more weights than can be counted: {list(shape)}")
    number, offset = cursor.numbers(_TYPE_AND_OFFSET, what)
    qtype = BY_ID.get(number)
    if qtype is None:
        raise GgufError(f"{cursor.path}: {what} has the unknown type {number}")
    cols = shape[-1] if shape else 1
    if not qtype.fits(cols):
        raise GgufError(f"{cursor.path}: {what} has rows of {cols} weights, not blocks of {qtype.block} ({qtype})")
    return TensorInfo(name, shape, qtype, offset)


def _place(infos: list[TensorInfo], data_offset: int, alignment: int, file: ReadOnlyFile) -> tuple[GgufTensor, ...]:
    """The tensors with their places in the file: one after the other, each padded, all inside."""
    placed = []
    end, before = 0, "the header"
    for info in infos:
        nbytes = tensor_bytes(info.shape, info.qtype)
        if info.offset != end:
            fault = "overlaps" if info.offset < end else "leaves a gap after"
            raise GgufError(
                f"{file.path}: tensor {info.name!r} starts at byte {info.offset} of the data, not {end}: "
                f"it {fault} {before}"
            )
        if data_offset + info.offset + nbytes > file.size:
            raise GgufError(
                f"{file.path} ends within tensor {info.name!r}: "
                f"{data_offset + info.offset + nbytes:,} bytes expected, {file.size:,} found",
                hint="it is incomplete: download or copy it again",
            )
        placed.append(GgufTensor(info.name, info.shape, info.qtype, data_offset + info.offset, nbytes))
        end, before = end + padded(nbytes, alignment), f"tensor {info.name!r}"
    return tuple(placed)
