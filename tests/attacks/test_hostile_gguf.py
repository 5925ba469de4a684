"""GGUF files made to hurt: each ends in a GgufError that names the file, without taking memory."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from ggufpress.errors import GgufError
from ggufpress.gguf.reader import MAX_HEADER_BYTES, MAX_ITEMS, read_gguf
from tests.traced_memory import memory_within

U8, BOOL, STRING, ARRAY, U32 = 0, 7, 8, 9, 4
HUGE = [2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1]


def string(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def key(name: bytes, type_: int, value: bytes) -> bytes:
    return string(name) + struct.pack("<I", type_) + value


def tensor(name: bytes, ne: tuple[int, ...], type_: int, offset: int) -> bytes:
    return string(name) + struct.pack(f"<I{len(ne)}QIQ", len(ne), *ne, type_, offset)


def head(n_tensors: int, n_keys: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_keys)


def refuse(path: Path, data: bytes, message: str, size: int | None = None, memory: int = 2_500_000) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        if size is not None:
            stream.truncate(size)
    with memory_within(memory), pytest.raises(GgufError, match=message) as caught:
        read_gguf(path)
    assert path.name in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hostile.gguf"


@pytest.mark.parametrize("count", [4, *HUGE])
def test_counts_that_the_file_cannot_hold(path: Path, count: int) -> None:
    refuse(path, head(count, 0) + bytes(64), "claims to hold .* tensors")
    refuse(path, head(0, count) + bytes(40), "claims to hold .* keys")
    # in a sparse file the count could be true: nothing is set aside for it
    refuse(path, head(count, 0) + bytes(64), "name of tensor 0 has 0 bytes|claims to hold", 1 << 42)
    refuse(path, head(0, count) + bytes(64), "name of key 0 has 0 bytes|claims to hold", 1 << 42)


@pytest.mark.parametrize("length", [100, *HUGE])
def test_lengths_that_the_file_does_not_have(path: Path, length: int) -> None:
    claim = struct.pack("<Q", length)
    refuse(path, head(0, 1) + claim + bytes(60), "name of key 0 has|ends within key 0")
    refuse(path, head(1, 0) + claim + bytes(60), "name of tensor 0 has")
    refuse(path, head(0, 1) + key(b"k", STRING, claim), "ends within the value of 'k'")
    for item_type in (U8, U32, BOOL, STRING):
        value = struct.pack("<I", item_type) + claim
        refuse(path, head(0, 1) + key(b"k", ARRAY, value), "ends within|items; all arrays|claims to hold")


def test_lengths_that_a_sparse_file_does_have(path: Path) -> None:
    size = 1 << 42
    for length in (1 << 30, 1 << 40):
        claim = struct.pack("<Q", length)
        refuse(path, head(0, 1) + key(b"k", STRING, claim), "header is longer than 134,217,728 bytes", size)
        refuse(path, head(0, 1) + key(b"k", ARRAY, struct.pack("<I", U8) + claim), "items; all arrays together", size)
        refuse(path, head(0, 1) + key(b"k", ARRAY, struct.pack("<I", STRING) + claim), "items; all arrays", size)


def test_many_arrays_that_are_too_long_only_together(path: Path) -> None:
    count = MAX_ITEMS // 4
    value = struct.pack("<IQ", U8, count) + bytes(count)
    data = head(0, 5) + b"".join(key(b"k%d" % i, ARRAY, value) for i in range(5))
    refuse(path, data, "'k4' has 2,097,152 items; all arrays together may have 8,388,608", memory=100_000_000)


def test_strings_of_a_header_that_never_ends(path: Path) -> None:
    assert MAX_HEADER_BYTES < 4 << 30
    value = struct.pack("<IQ", STRING, 3) + string(b"a") + struct.pack("<Q", 3 << 30)
    refuse(path, head(0, 1) + key(b"k", ARRAY, value), "header is longer", 4 << 30)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([key(b"", U8, b"\0")], "name of key 0 has 0 bytes"),
        ([key(b"k" * 65536, U8, b"\0")], "name of key 0 has 65,536 bytes"),
        ([key(b"\xff", U8, b"\0")], "name of key 0 is not UTF-8"),
        ([key(b"a\x1b[2J", U8, b"\0")], "name of key 0 has control characters"),
        ([key(b"k", U8, b"\0"), key(b"k", U8, b"\0")], "key 'k' appears twice"),
        ([key(b"k", 13, b"\0")], "the value of 'k' has the unknown type 13"),
        ([key(b"k", 2**32 - 1, b"\0")], "the value of 'k' has the unknown type 4294967295"),
        ([key(b"k", ARRAY, struct.pack("<IQ", 13, 1))], "the value of 'k' has the unknown type 13"),
        ([key(b"k", ARRAY, struct.pack("<IQIQ", ARRAY, 1, U8, 0))], "an array of arrays"),
        ([key(b"k", ARRAY, struct.pack("<IQ", ARRAY, 1) * 100_000)], "an array of arrays"),
        ([key(b"k", BOOL, b"\2")], "a BOOL that is neither 0 nor 1"),
        ([key(b"k", ARRAY, struct.pack("<IQ", BOOL, 3) + b"\0\1\xff")], "a BOOL that is neither 0 nor 1"),
        ([key(b"general.alignment", U8, b"\x20")], "general.alignment is UINT8, not UINT32"),
        ([key(b"general.alignment", U32, struct.pack("<I", 0))], "general.alignment is 0, not a power of two"),
        ([key(b"general.alignment", U32, struct.pack("<I", 48))], "general.alignment is 48, not a power of two"),
        ([key(b"general.alignment", STRING, string(b"32"))], "general.alignment is STRING"),
    ],
)
def test_broken_keys(path: Path, keys: list[bytes], message: str) -> None:
    refuse(path, head(0, len(keys)) + b"".join(keys) + bytes(8), message)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([tensor(b"", (1,), 0, 0)], "name of tensor 0 has 0 bytes"),
        ([tensor(b"n" * 64, (1,), 0, 0)], "name of tensor 0 has 64 bytes, 1 to 63 are allowed"),
        ([tensor(b"\xff", (1,), 0, 0)], "name of tensor 0 is not UTF-8"),
        ([tensor(b"a\0b", (1,), 0, 0)], "name of tensor 0 has control characters"),
        ([tensor(b"a", (1,), 0, 0), tensor(b"a", (1,), 0, 32)], "tensor 'a' appears twice"),
        ([tensor(b"a", (1,) * 5, 0, 0)], "'a' has 5 dimensions, more than 4"),
        ([string(b"a") + struct.pack("<I", 2**32 - 1)], "'a' has 4294967295 dimensions"),
        ([tensor(b"a", (2**63,), 0, 0)], "'a' has more weights than can be counted"),
        ([tensor(b"a", (2**32, 2**32), 0, 0)], "'a' has more weights than can be counted"),
        ([tensor(b"a", (2**62, 2, 0), 0, 0)], "'a' has more weights than can be counted"),
        ([tensor(b"a", (2**40,), 0, 0)], "ends within tensor 'a': 4,398,046,511,"),
        ([tensor(b"a", (1,), 4, 0)], "'a' has the unknown type 4"),
        ([tensor(b"a", (1,), 2**31, 0)], "'a' has the unknown type 2147483648"),
        ([tensor(b"a", (33,), 2, 0)], r"'a' has rows of 33 weights, not blocks of 32 \(Q4_0\)"),
        ([tensor(b"a", (), 2, 0)], r"'a' has rows of 1 weights, not blocks of 32 \(Q4_0\)"),
        ([tensor(b"a", (1,), 0, 32)], "'a' starts at byte 32 of the data, not 0: it leaves a gap after the header"),
        ([tensor(b"a", (1,), 0, 2**64 - 32)], "it leaves a gap after the header"),
        ([tensor(b"a", (1,), 0, 0), tensor(b"b", (1,), 0, 4)], "'b' .* it overlaps tensor 'a'"),
        ([tensor(b"a", (1,), 0, 0), tensor(b"b", (1,), 0, 0)], "'b' .* it overlaps tensor 'a'"),
        ([tensor(b"a", (1,), 0, 0), tensor(b"b", (1,), 0, 64)], "'b' .* it leaves a gap after tensor 'a'"),
        ([tensor(b"a", (9,), 0, 0), tensor(b"b", (1,), 0, 32)], "'b' starts at byte 32 of the data, not 64"),
    ],
)
def test_broken_tensors(path: Path, tensors: list[bytes], message: str) -> None:
    data = head(len(tensors), 0) + b"".join(tensors)
    refuse(path, data.ljust(len(data) + 256, b"\0"), message)


def test_an_alignment_that_moves_the_data_out_of_the_file(path: Path) -> None:
    data = head(1, 1) + key(b"general.alignment", U32, struct.pack("<I", 2**31)) + tensor(b"a", (1,), 0, 0)
    refuse(path, data.ljust(4096, b"\0"), "ends within tensor 'a': 2,147,483,652 bytes expected, 4,096 found")


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.gguf").mkdir()
    for name, message in (("gone.gguf", "is missing"), ("folder.gguf", "is a folder")):
        with pytest.raises(GgufError, match=f"{name} {message}"):
            read_gguf(tmp_path / name)
