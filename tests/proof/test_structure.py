from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.gguf.header import TensorInfo, encode_header
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.values import Metadata, text, u32
from ggufpress.proof.structure import check_structure
from ggufpress.quant.types import F32
from tests.traced_memory import memory_within

METADATA: Metadata = {"general.architecture": text("llama")}
TENSORS = [TensorInfo("a", (3,), F32, 0), TensorInfo("b", (9,), F32, 32)]
HEADER = encode_header(METADATA, TENSORS)
DATA = b"\1" * 12 + bytes(20) + b"\2" * 36 + bytes(28)


def faults(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    return list(map(str, check_structure(read_gguf(path))))


def test_a_whole_file_has_no_faults(tmp_path: Path) -> None:
    assert faults(tmp_path / "a.gguf", HEADER + DATA) == []
    assert faults(tmp_path / "vocab.gguf", encode_header(METADATA, [])) == []


def test_every_byte_of_padding_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    header_end = len(HEADER.rstrip(b"\0")) + 7  # the offset of b is one byte and seven zeros
    gaps = {
        "the header": range(header_end, len(HEADER)),
        "tensor a": range(len(HEADER) + 12, len(HEADER) + 32),
        "tensor b": range(len(HEADER) + 68, len(HEADER) + 96),
    }
    for name, places in gaps.items():
        for place in places:
            data = bytearray(HEADER + DATA)
            data[place] = 1
            message = f"the padding after {name}, {len(places)} bytes from byte {places[0]} on, is not all zero"
            assert faults(path, bytes(data)) == [message]


def test_length(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    assert faults(path, HEADER + DATA + b"abcd") == ["4 bytes follow the last tensor and its padding"]
    assert faults(path, HEADER + DATA[:-28]) == ["the file ends 28 bytes early, within the padding of the last tensor"]
    assert faults(path, HEADER + DATA[:-28] + b"x") == [
        "the padding after tensor b, 27 bytes from byte 292 on, is not all zero".replace(
            "27 bytes from byte 292", f"1 bytes from byte {len(HEADER) + 68}"
        ),
        "the file ends 27 bytes early, within the padding of the last tensor",
    ]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "general.architecture: the key is missing"),
        ({"general.architecture": text("")}, "general.architecture: the key is not a name, but STRING ''"),
        ({"general.architecture": u32(7)}, "general.architecture: the key is not a name, but UINT32 7"),
    ],
)
def test_architecture(tmp_path: Path, metadata: Metadata, message: str) -> None:
    (found,) = faults(tmp_path / "a.gguf", encode_header(metadata, TENSORS) + DATA)
    assert found.startswith(message)


def test_padding_of_a_gigabyte_takes_no_memory(tmp_path: Path) -> None:
    metadata = METADATA | {"general.alignment": u32(1 << 28)}
    path = tmp_path / "a.gguf"
    with path.open("wb") as stream:
        stream.write(encode_header(metadata, [TENSORS[0]], 1 << 28))
        stream.truncate(2 << 28)
    file = read_gguf(path)
    with memory_within(8 << 20):
        assert check_structure(file) == ()
