"""Headers of safetensors files: ours against the official library, on what it writes and on broken versions of it."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import example, given
from hypothesis import strategies as st

from ggufpress.errors import CheckpointError, InputError, UnsupportedError
from ggufpress.files import FileStamp
from ggufpress.source.safetensors import DTYPE_BITS, parse_header, read_header

NUMPY = {"F32": np.float32, "F16": np.float16, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8}

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda name: name != "__metadata__"
)
shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)
tensors = st.dictionaries(names, st.tuples(st.sampled_from(sorted(NUMPY)), shapes), max_size=8)


def file_of(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def official(data: bytes) -> dict[str, dict[str, Any]] | None:
    try:
        return dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError:
        return None


def ours(data: bytes) -> list[Any] | None:
    try:
        length = int.from_bytes(data[:8], "little")
        return parse_header(data[8 : 8 + length], Path("a.safetensors"), FileStamp(len(data), 0))
    except InputError:
        return None


@given(tensors, st.booleans())
def test_agrees_with_what_the_official_library_writes(
    tmp_path_factory: pytest.TempPathFactory, spec: dict[str, tuple[str, tuple[int, ...]]], with_metadata: bool
) -> None:
    rng = np.random.default_rng(1)
    arrays = {name: rng.integers(0, 99, shape).astype(NUMPY[dtype]) for name, (dtype, shape) in spec.items()}
    path = tmp_path_factory.getbasetemp() / "model.safetensors"
    data = safetensors.numpy.save(arrays, {"format": "pt", "note": 'a "quoted" \n {brace}'} if with_metadata else None)
    path.write_bytes(data)
    refs = read_header(path)
    assert [ref.name for ref in refs] == sorted(arrays)
    for ref in refs:
        array = arrays[ref.name]
        assert (ref.dtype, ref.shape, ref.file) == (spec[ref.name][0], array.shape, path)
        assert data[ref.offset : ref.offset + ref.nbytes] == array.tobytes()


def test_knows_the_dtypes_of_the_official_library() -> None:
    for dtype, bits in DTYPE_BITS.items():
        entry = {"a": {"dtype": dtype, "shape": [8], "data_offsets": [0, bits]}}
        assert official(file_of(entry, bytes(bits))) is not None
        assert ours(file_of(entry, bytes(bits))) is not None
    unknown = {"a": {"dtype": "F12", "shape": [8], "data_offsets": [0, 12]}}
    assert official(file_of(unknown, bytes(12))) is None


numbers = st.one_of(
    st.integers(-2, 20), st.sampled_from([2**31, 2**32, 2**63 - 1, 2**63, 2**64]), st.floats(), st.none()
)
broken_entries = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "U8", "F4", "f32", "", "F33"]) | st.none() | st.integers(0, 3),
        "shape": st.lists(st.integers(0, 4), max_size=3) | st.lists(numbers, max_size=3) | st.none(),
        "data_offsets": st.lists(st.integers(0, 24), min_size=2, max_size=2).map(sorted)
        | st.lists(numbers, max_size=3),
        "extra": st.none() | st.text(max_size=3) | st.lists(st.none(), max_size=2),
    },
)


@given(st.dictionaries(st.text(max_size=3), broken_entries, max_size=3), st.integers(0, 24))
def test_accepts_nothing_that_the_official_library_refuses(header: dict[str, Any], n_data: int) -> None:
    data = file_of(header, bytes(n_data))
    refs = ours(data)
    if refs is not None:
        theirs = official(data)
        assert theirs is not None
        assert {ref.name: list(ref.shape) for ref in refs} == {name: tensor["shape"] for name, tensor in theirs.items()}


@st.composite
def layouts(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """Valid entries in any order, then perhaps one number of one of them changed."""
    header: dict[str, Any] = {}
    end = 0
    for index in draw(st.permutations(range(draw(st.integers(1, 4))))):
        dtype, shape = draw(st.sampled_from(["F32", "F16", "U8"])), draw(st.lists(st.integers(0, 3), max_size=3))
        nbytes = prod(shape) * DTYPE_BITS[dtype] // 8
        header[f"t{index}"] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + nbytes]}
        end += nbytes
    if draw(st.booleans()):
        entry = header[draw(st.sampled_from(sorted(header)))]
        entry["data_offsets"][draw(st.integers(0, 1))] += draw(st.integers(-4, 4))
    return header, max(0, end + draw(st.sampled_from([0, 0, 0, -1, 1])))


@given(layouts())
@example(
    (
        {
            "a": {"dtype": "U8", "shape": [0], "data_offsets": [2, 2]},
            "b": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
        },
        4,
    )
)
def test_agrees_with_the_official_library_on_layouts(layout: tuple[dict[str, Any], int]) -> None:
    data = file_of(layout[0], bytes(layout[1]))
    assert (ours(data) is None) == (official(data) is None)


GOOD = b'{"dtype":"U8","shape":[2],"data_offsets":[0,2]}'


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b' \n{ "a" : { "dtype" : "U8" , "shape" : [ 2 ] , "data_offsets" : [ 0 , 2 ] } } \t',
        b'{"a":' + GOOD + b',"__metadata__":{}}',
        b'{"__metadata__":null,"a":' + GOOD + b"}",
        b'{"__metadata__":{"a{":"}\\"","b":"[["},"a":' + GOOD + b"}",
        b'{"a":' + GOOD[:-1] + b',"other":[1,"x"]}}',
        b'{"\\u00e9\\n":' + GOOD + b"}",
        b'{"a":' + GOOD + b",}",
        b'{"a":' + GOOD + b',"a":' + GOOD + b"}",
        b'{"a"' + GOOD + b"}",
        b'{"a":' + GOOD + b"}x",
        b'{"a":' + GOOD + b"}\0",
        b'{"a":' + GOOD,
        b'{"a":' + GOOD[:-1] + b',"dtype":"U8"}}',
        b'{"a":' + GOOD[:-1] + b',"other":NaN}}',
        b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"b":"}"}}',
        b'{"a":{"dtype":"U8","shape":[02],"data_offsets":[0,2]}}',
        b'{"a":{"dtype":"U8","shape":[true,2],"data_offsets":[0,2]}}',
        b'{"a":[]}',
        b"[]",
        b"",
        b"null",
        b'\xef\xbb\xbf{"a":' + GOOD + b"}",
        b'{"__metadata__":{"a":1},"a":' + GOOD + b"}",
        b'{"__metadata__":{"a":"b",},"a":' + GOOD + b"}",
        b'{"__metadata__":{"a":"\\x"},"a":' + GOOD + b"}",
        b'{"__metadata__":{"a":"\\u12"},"a":' + GOOD + b"}",
        b'{"__metadata__":{"a":"\\ud800"},"a":' + GOOD + b"}",
        b'{"__metadata__":{"a":"\\ud83d\\uDE00\\u20ac\\/"},"a":' + GOOD + b"}",
        b'{"__metadata__":{"a":"\xff"},"a":' + GOOD + b"}",
        b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[-0,2]}}',
        b'{"__metadata__":[],"a":' + GOOD + b"}",
        b'{"__metadata__":{},"__metadata__":{},"a":' + GOOD + b"}",
        b'{"\xff":' + GOOD + b"}",
        b'{"\\ud800":' + GOOD + b"}",
        b'{"\\x":' + GOOD + b"}",
        b'{"a\nb":' + GOOD + b"}",
    ],
)
def test_accepts_only_json_that_the_official_library_accepts(text: bytes) -> None:
    data = file_of(text, b"" if text == b"{}" else b"ab")
    stricter = b'"a":' + GOOD + b',"a":' in text or b"\\n" in text or b'"}"' in text
    assert (ours(data) is not None) == (official(data) is not None and not stricter)


def test_says_what_is_wrong_with_which_tensor(tmp_path: Path) -> None:
    path = tmp_path / "model-00001-of-00002.safetensors"
    path.write_bytes(file_of({"blk.w": {"dtype": "Q4", "shape": [2], "data_offsets": [0, 2]}}, b"ab"))
    with pytest.raises(UnsupportedError, match=r"model-00001-of-00002.*'blk.w'.*'Q4'"):
        read_header(path)
    path.write_bytes(file_of({"blk.w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 2]}}, b"ab"))
    with pytest.raises(CheckpointError, match=r"'blk.w' has 2 bytes, F32 \[2\] takes 8"):
        read_header(path)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(CheckpointError, match=r"not a safetensors file") as caught:
        read_header(path)
    assert "git lfs pull" in (caught.value.hint or "")


def test_finds_tensors_beyond_4_gib(tmp_path: Path) -> None:
    path, size = tmp_path / "model.safetensors", 5 << 30
    head = file_of(
        {
            "a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]},
            "b": {"dtype": "U8", "shape": [3], "data_offsets": [size, size + 3]},
        }
    )
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(len(head) + size + 3)
    assert [(ref.offset, ref.nbytes) for ref in read_header(path)] == [(len(head), size), (len(head) + size, 3)]
