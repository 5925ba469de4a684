"""What `encode_header` writes: byte for byte what gguf-py writes, and what both readers read."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.errors import GgufError
from ggufpress.gguf.header import TensorInfo, data_offsets, encode_header, padded, tensor_bytes
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.values import Metadata, Value, ValueType, array, f32, flag, text, u32
from ggufpress.quant.types import F32, Q4_K, QTYPES

SHARED_TYPES = [qtype for qtype in QTYPES if qtype.id in {int(number) for number in gguf.GGMLQuantizationType}]
BITS = {"UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64, "INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64}

keys = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    lambda key: key != "general.alignment"
)


def scalars(type_: ValueType) -> st.SearchStrategy[Any]:
    if type_ is ValueType.STRING:
        return st.text(max_size=9) | st.binary(max_size=9)
    if type_ is ValueType.BOOL:
        return st.booleans()
    if type_ in (ValueType.FLOAT32, ValueType.FLOAT64):
        return st.floats(width=32 if type_ is ValueType.FLOAT32 else 64, allow_nan=False)
    top = 1 << BITS[type_.name]
    return st.integers(0, top - 1) if type_.name.startswith("U") else st.integers(-top // 2, top // 2 - 1)


SCALAR_TYPES = [type_ for type_ in ValueType if type_ is not ValueType.ARRAY]
values = st.sampled_from(SCALAR_TYPES).flatmap(
    lambda type_: (
        scalars(type_).map(lambda data: Value(type_, data))
        | st.lists(scalars(type_), min_size=1, max_size=5).map(lambda items: array(type_, items))
    )
)
metadatas = st.dictionaries(keys, values, max_size=6)


@st.composite
def tensor_lists(draw: st.DrawFn) -> list[TensorInfo]:
    names = draw(st.lists(st.text("abcé.01", min_size=1, max_size=30), unique=True, max_size=5))
    infos: list[TensorInfo] = []
    end = 0
    for name in names:
        qtype = draw(st.sampled_from(SHARED_TYPES))
        shape = (*draw(st.lists(st.integers(1, 3), max_size=3)), qtype.block * draw(st.integers(1, 2)))
        infos.append(TensorInfo(name, shape, qtype, end))
        end = padded(end + infos[-1].nbytes)
    return infos


def by_gguf_py(path: Path, metadata: Metadata, tensors: list[TensorInfo]) -> bytes:
    writer = gguf.GGUFWriter(path, "")
    for key, value in metadata.items():
        kind = gguf.GGUFValueType(value.type)
        item_kind = gguf.GGUFValueType(value.item_type) if value.item_type is not None else None
        writer.add_key_value(key, value.data, kind, item_kind)
    for tensor in tensors:
        qtype = gguf.GGMLQuantizationType(tensor.qtype.id)
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.nbytes, qtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    assert writer.fout is not None
    writer.write_padding(writer.fout[0], writer.fout[0].tell())
    writer.close()
    return path.read_bytes()


def as_str(item: Any) -> Any:
    """Bytes that are UTF-8 come back as str."""
    if isinstance(item, tuple):
        return tuple(map(as_str, item))
    try:
        return item.decode() if isinstance(item, bytes) else item
    except UnicodeDecodeError:
        return item


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("header") / "a.gguf"


@given(metadatas, tensor_lists())
def test_writes_what_gguf_py_writes(path: Path, metadata: Metadata, tensors: list[TensorInfo]) -> None:
    assert encode_header(metadata, tensors) == by_gguf_py(path, metadata, tensors)


@given(metadatas, tensor_lists(), st.sampled_from([1, 8, 32, 64, 4096]))
def test_reads_back_what_it_writes(path: Path, metadata: Metadata, tensors: list[TensorInfo], alignment: int) -> None:
    metadata = metadata | {"general.alignment": u32(alignment)}
    offsets = data_offsets([tensor.nbytes for tensor in tensors], alignment)
    tensors = [
        TensorInfo(tensor.name, tensor.shape, tensor.qtype, offset)
        for tensor, offset in zip(tensors, offsets, strict=True)
    ]
    header = encode_header(metadata, tensors, alignment)
    path.write_bytes(header + bytes(padded(offsets[-1] + tensors[-1].nbytes, alignment) if tensors else 0))
    file = read_gguf(path)
    assert (file.version, file.alignment, file.data_offset) == (3, alignment, len(header))
    assert file.infos == tuple(tensors)
    assert list(file.metadata) == list(metadata)
    assert file.metadata == {
        key: Value(value.type, as_str(value.data), value.item_type) for key, value in metadata.items()
    }
    assert (file.trailing_bytes, file.full_size) == (0, file.file_size)
    assert encode_header(file.metadata, file.infos, file.alignment) == header


@given(metadatas, tensor_lists())
def test_gguf_py_reads_it(path: Path, metadata: Metadata, tensors: list[TensorInfo]) -> None:
    metadata = {
        key: value for key, value in metadata.items() if value == Value(value.type, as_str(value.data), value.item_type)
    }
    metadata = {key: value for key, value in metadata.items() if not _holds_bytes(value)}
    header = encode_header(metadata, tensors)
    end = tensors[-1].offset + tensors[-1].nbytes if tensors else 0
    path.write_bytes(header + bytes(end + 1))
    reader = gguf.GGUFReader(path)
    assert reader.data_offset == len(header)
    for key, value in metadata.items():
        contents = reader.fields[key].contents()
        assert contents == (list(value.data) if isinstance(value.data, tuple) else value.data)
    assert [
        (
            tensor.name,
            tuple(reversed(tensor.shape.tolist())),
            int(tensor.tensor_type),
            tensor.data_offset,
            tensor.n_bytes,
        )
        for tensor in reader.tensors
    ] == [(info.name, info.shape, info.qtype.id, len(header) + info.offset, info.nbytes) for info in tensors]


def _holds_bytes(value: Value) -> bool:
    items = value.data if isinstance(value.data, tuple) else (value.data,)
    return any(isinstance(item, bytes) for item in items)


def test_floats_are_rounded_to_the_nearest() -> None:
    header = encode_header({"a": f32(1e-5), "b": array(ValueType.FLOAT32, [0.1, math.inf, 2**24 + 1])}, [])
    assert np.float32(1e-5).tobytes() in header
    assert np.array([0.1, math.inf, 2**24], np.float32).tobytes() in header


def test_layout_of_a_small_header() -> None:
    header = encode_header({"k": flag(True), "s": text("é")}, [TensorInfo("w", (3, 256), Q4_K, 64)])
    assert header == b"".join(
        [
            b"GGUF", struct.pack("<IQQ", 3, 1, 2),
            struct.pack("<Q", 1), b"k", struct.pack("<I", 7), b"\x01",
            struct.pack("<Q", 1), b"s", struct.pack("<I", 8), struct.pack("<Q", 2), b"\xc3\xa9",
            struct.pack("<Q", 1), b"w", struct.pack("<IQQ", 2, 256, 3), struct.pack("<IQ", 12, 64),
        ]
    ).ljust(128, b"\0")  # fmt: skip


def test_sizes_and_offsets() -> None:
    assert tensor_bytes((3, 512), Q4_K) == 3 * 2 * 144
    assert tensor_bytes((), F32) == 4
    assert data_offsets([4, 32, 33, 0, 1]) == [0, 32, 64, 128, 128]
    assert data_offsets([4, 4], 8) == [0, 8]
    big = 3 << 40
    assert data_offsets([big, 1]) == [0, big]


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("llama.context_length", u32(-1), "UINT32"),
        ("llama.context_length", u32(2**32), "UINT32"),
        ("a", f32(1e39), "FLOAT32"),
        ("a", Value(ValueType.UINT32, "7"), "UINT32"),
        ("a", Value(ValueType.STRING, 7), "STRING"),
        ("a", text("\ud800"), "STRING"),
        ("tokenizer.ggml.tokens", array(ValueType.STRING, ["a", 1]), "ARRAY of STRING"),
        ("tokenizer.ggml.scores", array(ValueType.INT32, [0.5]), "ARRAY of INT32"),
        ("a", Value(ValueType.ARRAY, (1,)), "ARRAY"),
        ("a", array(ValueType.ARRAY, [1]), "ARRAY of ARRAY"),
    ],
)
def test_refuses_values_that_the_type_cannot_hold(key: str, value: Value, kind: str) -> None:
    with pytest.raises(GgufError, match=f"the value of {key} cannot be written as {kind}"):
        encode_header({key: value}, [])


def test_refuses_what_llama_cpp_would_not_load() -> None:
    with pytest.raises(GgufError, match=r"has 64 bytes, llama.cpp takes 1 to 63"):
        encode_header({}, [TensorInfo("é" * 32, (1,), F32, 0)])
    with pytest.raises(GgufError, match="has 0 bytes"):
        encode_header({}, [TensorInfo("", (1,), F32, 0)])
    with pytest.raises(GgufError, match="tensor w has 5 dimensions"):
        encode_header({}, [TensorInfo("w", (1,) * 5, F32, 0)])
    with pytest.raises(ValueError, match=r"general.alignment does not say"):
        encode_header({}, [TensorInfo("w", (1,), F32, 0)], alignment=64)
