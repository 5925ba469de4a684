"""The header of a safetensors file: where each tensor lies. Nothing but the header is read.

The file: 8 bytes little-endian header length, a JSON object, the data. The object maps each name to dtype, shape and
the [begin, end) of its bytes, counted from the end of the header; `__metadata__` holds strings that mean nothing to us.
Accepted is what the official library (safetensors 0.8) accepts, less duplicate names, names with control characters and
nested values in an entry. See docs/concepts/reading.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ggufpress.errors import CheckpointError, UnsupportedError
from ggufpress.files import FileStamp, ReadOnlyFile
from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.remote import File

Read = Callable[[int, int, str], bytes]
"""Gives so many bytes of a file from an offset on; the text names them in an error."""

DTYPE_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
}  # fmt: skip
"""Bits per weight of each dtype (safetensors 0.8, `enum Dtype`)."""

MAX_HEADER_BYTES = 100_000_000
"""The format's own limit (safetensors 0.8, `MAX_HEADER_SIZE`)."""

MAX_TENSORS = 1 << 19
"""Per file: ten times more than any model has, so that a header full of tiny entries cannot fill the memory."""

MAX_ENTRY_BYTES = 4096
MAX_NAME_BYTES = 1024
MAX_BITS = 1 << 64

_SPACE = rb"[ \t\n\r]*+"
# a surrogate only with its other half, as in every JSON parser but Python's
_UNICODE = (
    rb"u(?:[0-9a-ce-fA-CE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}"
    rb"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|' + _UNICODE + rb'))*+"'
_START = re.compile(_SPACE + rb"\{" + _SPACE)
_EMPTY = re.compile(rb"\}" + _SPACE + rb"\Z")
_NAME = re.compile(rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE)
_ENTRY = re.compile(rb"\{[^{}]*+\}")
_PAIR = _STRING + _SPACE + rb":" + _SPACE + _STRING + _SPACE
_METADATA = re.compile(rb"null|\{" + _SPACE + rb"(?:" + _PAIR + rb"(?:," + _SPACE + _PAIR + rb")*+)?+\}")
_NEXT = re.compile(_SPACE + rb"(?:(,)" + _SPACE + rb"|\}" + _SPACE + rb"\Z)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def read_header(path: Path) -> list[TensorRef]:
    """The tensors of the safetensors file at `path`, sorted by name.

    Raises CheckpointError where file and header do not fit together, UnsupportedError for an unknown dtype.
    """
    with ReadOnlyFile(path, CheckpointError) as file:
        return header_from(file.read, path, file.stamp)


def header_from(read: Read, path: File, stamp: FileStamp) -> list[TensorRef]:
    """The tensors of the safetensors file `path`, whose bytes `read` gives, sorted by name. Raises as `read_header`."""
    if stamp.size < 8:
        raise CheckpointError(f"{path} has {stamp.size} bytes, too few for a safetensors file")
    length = int.from_bytes(read(0, 8, "the header length"), "little")
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path} is not a safetensors file: its header would have {length:,} bytes",
            hint="a file that starts with 'version https://git-lfs' was cloned without git lfs: run git lfs pull",
        )
    if 8 + length > stamp.size:
        raise CheckpointError(
            f"{path} ends within its header: {8 + length} bytes expected, {stamp.size} found",
            hint="it is incomplete: download or copy it again",
        )
    return parse_header(read(8, length, "the header"), path, stamp)


def parse_header(header: bytes, path: File, stamp: FileStamp) -> list[TensorRef]:
    """The tensors that the JSON text `header` of the file `path` describes, sorted by name.

    Raises CheckpointError where it is not what the format asks for, UnsupportedError for an unknown dtype.
    """
    start = 8 + len(header)
    refs = [_tensor(name, entry, path, start, stamp) for name, entry in _entries(header, path)]
    _check_layout(refs, path, start, stamp.size)
    return sorted(refs, key=lambda ref: ref.name)


def _entries(header: bytes, path: File) -> Iterable[tuple[str, dict[str, Any]]]:
    """Name and JSON value of every tensor. Step by step, so that hostile JSON never becomes a large structure."""
    at = _START.match(header)
    if at is None:
        raise _malformed(path, 0)
    pos, seen = at.end(), set[str]()
    more = _EMPTY.match(header, pos) is None
    has_metadata = False
    while more:
        key = _NAME.match(header, pos)
        if key is None:
            raise _malformed(path, pos)
        name, pos = _decode_name(key[1], path), key.end()
        if name == "__metadata__":
            value = _METADATA.match(header, pos)
            if value is None or has_metadata or not _is_utf8(value[0]):
                raise CheckpointError(f"{path}: __metadata__ is not one object of strings")
            has_metadata = True
        else:
            value = _ENTRY.match(header, pos)
            if value is None:
                raise CheckpointError(f"{path}: the header entry of tensor {name!r} is not a flat JSON object")
            if name in seen:
                raise CheckpointError(f"{path}: tensor {name!r} appears twice in the header")
            if len(seen) == MAX_TENSORS:
                raise CheckpointError(f"{path}: the header lists more than {MAX_TENSORS:,} tensors")
            seen.add(name)
            yield name, _decode_entry(value[0], name, path)
        end = _NEXT.match(header, value.end())
        if end is None:
            raise _malformed(path, value.end())
        pos, more = end.end(), end[1] is not None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode_name(text: bytes, path: File) -> str:
    if len(text) > MAX_NAME_BYTES + 2:
        raise CheckpointError(f"{path}: the header has a tensor name of {len(text) - 2:,} bytes")
    try:
        name: str = json.loads(text) if b"\\" in text else text[1:-1].decode()
    except ValueError:
        raise CheckpointError(f"{path}: the tensor name {text!r} is not a JSON string in UTF-8") from None
    if not name or _CONTROL.search(name):
        raise CheckpointError(f"{path}: the tensor name {name!r} is empty or has control characters")
    return name


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) != len(pairs):
        raise ValueError("duplicate key")
    return items


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def _decode_entry(text: bytes, name: str, path: File) -> dict[str, Any]:
    try:
        if len(text) > MAX_ENTRY_BYTES:
            raise ValueError(f"{len(text):,} bytes long")
        if b"-0" in text:
            raise ValueError("a negative zero")
        entry: dict[str, Any] = _decoder.raw_decode(text.decode())[0]
        return entry
    except ValueError as error:
        raise CheckpointError(f"{path}: the header entry of tensor {name!r} is not as it should be: {error}") from None


def _tensor(name: str, entry: dict[str, Any], path: File, start: int, stamp: FileStamp) -> TensorRef:
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if type(dtype) is not str:
        raise CheckpointError(f"{path}: tensor {name!r} has no dtype")
    if dtype not in DTYPE_BITS:
        raise UnsupportedError(f"{path}: tensor {name!r} has the dtype {dtype!r}, which ggufpress does not know")
    if type(shape) is not list:
        raise CheckpointError(f"{path}: tensor {name!r} has no shape")
    bits = DTYPE_BITS[dtype]
    for length in shape:
        if type(length) is not int or length < 0:
            raise CheckpointError(f"{path}: tensor {name!r} has a shape that is not a list of lengths: {shape}")
        bits *= length
        if max(bits, length) >= MAX_BITS:
            raise CheckpointError(f"{path}: tensor {name!r} has more weights than a file can hold: {shape}")
    if type(offsets) is not list or len(offsets) != 2 or type(offsets[0]) is not int or type(offsets[1]) is not int:
        raise CheckpointError(f"{path}: tensor {name!r} has no data_offsets of two numbers")
    begin, end = offsets
    available = stamp.size - start
    if not 0 <= begin <= end <= available:
        raise CheckpointError(
            f"{path}: bytes {begin} to {end}, said to be tensor {name!r}, are not within the {available} bytes of data",
            hint="the file is incomplete or broken: download or copy it again",
        )
    if (end - begin) * 8 != bits:
        raise CheckpointError(f"{path}: tensor {name!r} has {end - begin} bytes, {dtype} {shape} takes {bits / 8:g}")
    return TensorRef(name, dtype, tuple(shape), path, start + begin, end - begin, stamp)


def _check_layout(refs: list[TensorRef], path: File, start: int, size: int) -> None:
    """Raise where tensors overlap or bytes belong to none: two readers of such a file may see different things."""
    end, before = start, "the header"
    for ref in sorted(refs, key=lambda ref: (ref.offset, ref.nbytes)):
        if ref.offset < end:
            raise CheckpointError(f"{path}: tensor {ref.name!r} overlaps {before}")
        if ref.offset > end:
            raise CheckpointError(f"{path}: {ref.offset - end} bytes before tensor {ref.name!r} belong to no tensor")
        end, before = ref.offset + ref.nbytes, f"tensor {ref.name!r}"
    if end != size:
        raise CheckpointError(f"{path}: {size - end} bytes after {before} belong to no tensor")


def _malformed(path: File, pos: int) -> CheckpointError:
    return CheckpointError(f"{path}: the header is not JSON of the safetensors form at byte {8 + pos}")
