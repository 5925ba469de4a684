"""Reading GGUF files: every fault named, nothing accepted that ggml's own loader refuses."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

import pytest
import xllamacpp
from hypothesis import given, settings
from hypothesis import strategies as st

from ggufpress.errors import GgufError
from ggufpress.gguf.header import TensorInfo, encode_header
from ggufpress.gguf.reader import GgufData, read_gguf
from ggufpress.gguf.values import Metadata, ValueType, array, f32, flag, text, u32
from ggufpress.quant.types import F32, Q4_0, Q4_K

METADATA: Metadata = {
    "general.architecture": text("llama"),
    "general.alignment": u32(32),
    "llama.rope.freq_base": f32(1e4),
    "tokenizer.ggml.add_bos_token": flag(True),
    "tokenizer.ggml.tokens": array(ValueType.STRING, ["a", "é", ""]),
    "tokenizer.ggml.scores": array(ValueType.FLOAT32, [0.0, -1.0, 0.5]),
}
TENSORS = [TensorInfo("blk.0.w", (2, 64), Q4_0, 0), TensorInfo("norm", (3,), F32, 96), TensorInfo("s", (), F32, 128)]
HEADER = encode_header(METADATA, TENSORS)
DATA = bytes(range(160))


class _InitParams(ctypes.Structure):
    _fields_ = [("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p)]


_ggml = ctypes.CDLL(str(Path(xllamacpp.__file__).with_name("xllamacpp.abi3.so")))
_ggml.gguf_init_from_file.restype = ctypes.c_void_p
_ggml.gguf_init_from_file.argtypes = [ctypes.c_char_p, _InitParams]
_ggml.gguf_free.argtypes = [ctypes.c_void_p]


def ggml_accepts(path: Path) -> bool:
    context = _ggml.gguf_init_from_file(os.fsencode(path), _InitParams(True, None))
    if context:
        _ggml.gguf_free(context)
    return bool(context)


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader") / "a.gguf"


def test_describes_a_file(path: Path) -> None:
    path.write_bytes(HEADER + DATA)
    file = read_gguf(path)
    assert ggml_accepts(path)
    assert (file.path, file.version, file.alignment, file.file_size) == (path, 3, 32, len(HEADER) + 160)
    assert file.metadata == METADATA
    assert [(tensor.name, tensor.shape, tensor.qtype.name, tensor.nbytes) for tensor in file.tensors] == [
        ("blk.0.w", (2, 64), "Q4_0", 72),
        ("norm", (3,), "F32", 12),
        ("s", (), "F32", 4),
    ]
    assert file.tensors[1].offset == len(HEADER) + 96
    assert file.tensors[0].n_params == 128
    assert file.trailing_bytes == 0


def test_reads_data_in_slabs(path: Path) -> None:
    path.write_bytes(HEADER + DATA)
    file = read_gguf(path)
    buffer = bytearray(10)
    with GgufData(file) as data:
        data.read_into(file.tensors[1], 2, memoryview(buffer))
        assert buffer == DATA[98:108]
        assert data.read_at(len(HEADER) + 72, 24, "padding") == DATA[72:96]
        with pytest.raises(ValueError, match="not all in norm"):
            data.read_into(file.tensors[1], 3, memoryview(buffer))
    path.write_bytes(HEADER + DATA + b"x")
    with pytest.raises(GgufError, match=r"a.gguf has changed from"):
        GgufData(file)


def test_version_2_and_missing_or_extra_bytes_at_the_end(path: Path) -> None:
    path.write_bytes(HEADER[:4] + struct.pack("<I", 2) + HEADER[8:] + DATA[:132])
    file = read_gguf(path)
    assert (file.version, file.trailing_bytes) == (2, -28)
    assert ggml_accepts(path)
    path.write_bytes(HEADER + DATA + b"more")
    assert read_gguf(path).trailing_bytes == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends within its magic: 4 bytes expected, 0 left"),
        (b"PK\x03\x04" + bytes(40), r"is not a GGUF file: it starts with b'PK\\x03\\x04'"),
        (b"tjgg" + bytes(40), "GGML file from before GGUF"),
        (b"version https://git-lfs.github.com/spec/v1", "pointer of git lfs"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1, which llama.cpp does not read"),
        (b"GGUF" + struct.pack("<IQQ", 0, 0, 0), "version 0"),
        (b"GGUF" + struct.pack("<IQQ", 4, 0, 0), "version 4, and 2 and 3 are known"),
        (b"GGUF" + struct.pack("<IQ", 3, 0), "ends within its counts"),
    ],
)
def test_says_what_it_is_instead(path: Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(GgufError, match=f"a.gguf.* {message}|a.gguf {message}"):
        read_gguf(path)


def test_refuses_every_truncation(path: Path) -> None:
    whole = HEADER + DATA
    for length in range(len(HEADER) + 132):
        path.write_bytes(whole[:length])
        with pytest.raises(GgufError, match=r"a.gguf (ends within|claims to hold)"):
            read_gguf(path)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(4, len(HEADER) - 1), st.integers(0, 255)), min_size=1, max_size=3),
    st.sampled_from([0, 132, 160]),
)
def test_accepts_nothing_that_ggml_refuses(path: Path, changes: list[tuple[int, int]], n_data: int) -> None:
    data = bytearray(HEADER + DATA[:n_data])
    for at, byte in changes:
        data[at] = byte
    path.write_bytes(data)
    try:
        file = read_gguf(path)
    except GgufError:
        return
    assert ggml_accepts(path)
    assert len(file.metadata) == len(METADATA)
    assert all(tensor.offset + tensor.nbytes <= len(data) for tensor in file.tensors)


def test_finds_tensors_beyond_4_gib(path: Path) -> None:
    rows = 40 << 20
    infos = [TensorInfo("big", (rows, 256), Q4_K, 0), TensorInfo("end", (1,), F32, rows * 144)]
    header = encode_header({}, infos)
    with path.open("wb") as stream:
        stream.write(header)
        stream.seek(len(header) + rows * 144)
        stream.write(b"last" + bytes(28))
    file = read_gguf(path)
    buffer = bytearray(4)
    with GgufData(file) as data:
        data.read_into(file.tensors[1], 0, memoryview(buffer))
    assert (file.infos, bytes(buffer), file.trailing_bytes) == (tuple(infos), b"last", 0)
    os.truncate(path, len(header) + rows * 144)
    with pytest.raises(GgufError, match="ends within tensor 'end'"):
        read_gguf(path)
    os.truncate(path, 0)
