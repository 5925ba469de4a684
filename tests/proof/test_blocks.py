"""Broken scales and weights: ours against ggml's own check, for every type."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
import xllamacpp

from ggufpress.errors import GgufError
from ggufpress.gguf.header import TensorInfo, data_offsets, encode_header
from ggufpress.gguf.reader import GgufFile, read_gguf
from ggufpress.proof.blocks import SLAB_BYTES, check_blocks, checker
from ggufpress.quant.types import F16, F32, I32, Q4_K, Q8_0, QTYPES, QType

_ggml = ctypes.CDLL(str(Path(xllamacpp.__file__).with_name("xllamacpp.abi3.so")))
_ggml.ggml_validate_row_data.restype = ctypes.c_bool
_ggml.ggml_validate_row_data.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]


def ggml_accepts(qtype: QType, block: bytes) -> bool:
    return bool(_ggml.ggml_validate_row_data(qtype.id, block, len(block)))


def write(path: Path, *tensors: tuple[str, QType, bytes]) -> GgufFile:
    offsets = data_offsets(len(data) for _, _, data in tensors)
    infos = [
        TensorInfo(name, (len(data) // qtype.block_bytes, qtype.block), qtype, offset)
        for (name, qtype, data), offset in zip(tensors, offsets, strict=True)
    ]
    with path.open("wb") as stream:
        start = stream.write(encode_header({}, infos))
        for info, (_, _, data) in zip(infos, tensors, strict=True):
            stream.seek(start + info.offset)
            stream.write(data)
    return read_gguf(path)


@pytest.mark.parametrize("qtype", QTYPES, ids=str)
def test_finds_what_ggml_finds(qtype: QType) -> None:
    size = qtype.block_bytes
    rng = np.random.default_rng(qtype.id)
    blocks = [rng.bytes(size) for _ in range(200)]
    for word in (b"\x00\x7c", b"\xff\x7b", b"\x80\x7f", b"\x00\x00\x80\xff", b"\xff" * 8, b"\0" * 6 + b"\xf0\x7f"):
        blocks += [(bytes(at) + word + bytes(size))[:size] for at in range(size)]
        blocks += [(rng.bytes(at) + word + rng.bytes(size))[:size] for at in range(size)]
    check = checker(qtype)
    array = np.frombuffer(b"".join(blocks), np.uint8).reshape(-1, size)
    ours = np.zeros(len(array), np.bool_) if check is None else check(array)
    theirs = [not ggml_accepts(qtype, block) for block in blocks]
    assert ours.tolist() == theirs
    assert any(theirs) == (check is not None)


def test_names_tensor_and_first_block(tmp_path: Path) -> None:
    q8 = np.zeros((100, 34), np.uint8)
    q8[[41, 77], 1] = 0x7C
    f32 = np.array([1, np.inf, 0, np.nan, -np.inf], "<f4")
    file = write(
        tmp_path / "a.gguf",
        ("good", Q8_0, bytes(340)),
        ("scales", Q8_0, q8.tobytes()),
        ("ints", I32, b"\xff" * 40),
        ("weights", F32, f32.tobytes()),
    )
    scales, weights = check_blocks(file)
    assert str(scales) == "scales: 2 of 100 blocks have a scale that is NaN or infinite, the first is number 41"
    assert weights.to_json() == {
        "name": "weights",
        "message": "3 of 5 weights are NaN or infinite, the first is number 1",
    }


def test_counts_over_slabs(tmp_path: Path) -> None:
    n_blocks = SLAB_BYTES // 144 * 2 + 10
    blocks = np.zeros((n_blocks, 144), np.uint8)
    bad = [SLAB_BYTES // 144 - 1, SLAB_BYTES // 144, n_blocks - 1]
    blocks[bad, 3] = 0xFC
    file = write(tmp_path / "a.gguf", ("w", Q4_K, blocks.tobytes()), ("n", F16, b"\0\x7c" * 3))
    for threads in (1, 3):
        first, second = check_blocks(file, threads)
        assert f"3 of {n_blocks:,} blocks" in first.message
        assert first.message.endswith(f"number {bad[0]:,}")
        assert "3 of 3 weights" in second.message


def test_a_failing_file_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "a.gguf", ("w", F32, bytes(40)))
    with (tmp_path / "a.gguf").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(GgufError, match=r"a.gguf has changed"):
        check_blocks(file)
