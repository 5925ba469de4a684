"""safetensors files and indices made to hurt: each ends in an error that names the file, without taking memory."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest

from ggufpress.errors import CheckpointError, InputError
from ggufpress.source import safetensors
from ggufpress.source.folder import INDEX, open_checkpoint
from ggufpress.source.safetensors import read_header
from tests.traced_memory import memory_within

GOOD = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}


def write(path: Path, header: object, n_data: int = 4) -> Path:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + bytes(n_data))
    return path


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("length", [5, 1000, 100_000_000, 100_000_001, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1])
def test_header_length_is_a_lie(shard: Path, length: int) -> None:
    shard.write_bytes(struct.pack("<Q", length) + b"{}")
    with memory_within(100_000), pytest.raises(CheckpointError, match=r"model.safetensors"):
        read_header(shard)


def test_a_header_of_zeros_in_a_sparse_file(shard: Path) -> None:
    with shard.open("wb") as stream:
        stream.write(struct.pack("<Q", 2**40))
        stream.truncate(2**41)
    with memory_within(100_000), pytest.raises(CheckpointError, match=r"would have 1,099,511,627,776 bytes"):
        read_header(shard)


def test_every_truncation(shard: Path) -> None:
    whole = write(shard, {"a": GOOD, "b": {"dtype": "F16", "shape": [], "data_offsets": [4, 6]}}, 6).read_bytes()
    for length in range(len(whole)):
        shard.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"model.safetensors"):
            read_header(shard)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_offsets": [0, 5]}, r"bytes 0 to 5, said to be tensor 'a', are not within the 4 bytes"),
        ({"data_offsets": [2**63, 2**63 + 4]}, r"are not within the 4 bytes"),
        ({"data_offsets": [-4, 0]}, r"are not within the 4 bytes"),
        ({"data_offsets": [4, 0]}, r"are not within the 4 bytes"),
        ({"data_offsets": [0, 10**300]}, r"are not within the 4 bytes"),
        ({"data_offsets": [0.0, 4.0]}, r"'a' has no data_offsets of two numbers"),
        ({"data_offsets": [False, 4]}, r"'a' has no data_offsets of two numbers"),
        ({"data_offsets": "04"}, r"'a' has no data_offsets of two numbers"),
        ({"shape": [5]}, r"'a' has 4 bytes, U8 \[5\] takes 5"),
        ({"shape": [-2, -2]}, r"'a' has a shape that is not a list of lengths"),
        ({"shape": [2**33, 2**33, 0]}, r"'a' has more weights than a file can hold"),
        ({"shape": [10**300]}, r"'a' has more weights than a file can hold"),
        ({"shape": {"0": 4}}, r"'a' is not a flat JSON object"),
        ({"shape": "4"}, r"'a' has no shape"),
        ({"dtype": "F4", "shape": [7]}, r"'a' has 4 bytes, F4 \[7\] takes 3.5"),
        ({"dtype": "__reduce__"}, r"'a' has the dtype '__reduce__'"),
        ({"dtype": ["U8"]}, r"'a' has no dtype"),
        ({"dtype": None}, r"'a' has no dtype"),
        ({"shape": [1] * 3000}, r"entry of tensor 'a' is not as it should be: 9,\d\d\d bytes long"),
        ({"more": [[[]]] * 9}, None),
    ],
)
def test_broken_entries(shard: Path, change: dict[str, object], message: str | None) -> None:
    write(shard, {"a": GOOD | change})
    if message is None:
        assert read_header(shard)[0].shape == (4,)
        return
    with pytest.raises(InputError, match=rf"model.safetensors: .*{message}"):
        read_header(shard)


def test_tensors_that_share_or_leave_bytes(shard: Path) -> None:
    for offsets, n_data, message in (
        ([0, 4], 4, r"tensor 'b' overlaps tensor 'a'"),
        ([2, 6], 6, r"tensor 'b' overlaps tensor 'a'"),
        ([5, 9], 9, r"1 bytes before tensor 'b' belong to no tensor"),
        ([4, 8], 9, r"1 bytes after tensor 'b' belong to no tensor"),
    ):
        write(shard, {"a": GOOD, "b": GOOD | {"data_offsets": offsets}}, n_data)
        with pytest.raises(CheckpointError, match=message):
            read_header(shard)


def test_duplicate_names_however_they_are_spelled(shard: Path) -> None:
    entry = json.dumps(GOOD).encode()
    for second in (b'"a"', b'"\\u0061"'):
        write(shard, b'{"a":' + entry + b"," + second + b":" + entry + b"}")
        with pytest.raises(CheckpointError, match="tensor 'a' appears twice"):
            read_header(shard)
    write(shard, b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"shape":[2,2]}}')
    with pytest.raises(CheckpointError, match="'a' is not as it should be: duplicate key"):
        read_header(shard)


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\x1b[2J", "\x9b2J", "n" * 2000])
def test_names_that_are_not_names(shard: Path, name: str) -> None:
    write(shard, {name: GOOD})
    with pytest.raises(CheckpointError, match=r"model.safetensors.*tensor name") as caught:
        read_header(shard)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":' + b"[" * 3_000_000,
        b'{"a":' + b'{"b":' * 600_000,
        b"[" * 3_000_000,
        b"{" * 3_000_000,
        b'{"a":{"x":[' + b"[]," * 1_000_000 + b"0]}}",
        b'{"a":{"x":[' + b"0," * 1_500_000 + b"0]}}",
        b'{"__metadata__":{"a":[' + b"[]," * 1_000_000 + b"0]}}",
        b'{"__metadata__":' + b'{"a":' * 600_000,
        b'{"' + b"a" * 3_000_000 + b'":0}',
        b'{"' + b"\\n" * 1_500_000 + b'":0}',
        b'{"' + b"\\u0061" * 500_000,
        b'{"a":{"shape":' + b"9" * 3_000_000 + b"}}",
        b" " * 3_000_000,
        b'{"a"' + b" " * 3_000_000,
        b'{"__metadata__":{"a":"b"' + b',"a":"b"' * 400_000 + b"}",
    ],
)
def test_json_that_grows_is_never_built(shard: Path, header: bytes) -> None:
    write(shard, header)
    with memory_within(3 * len(header) + 100_000), pytest.raises(CheckpointError, match=r"model.safetensors"):
        read_header(shard)


def test_too_many_tensors(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "MAX_TENSORS", 1000)
    write(shard, {str(index): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for index in range(1001)}, 0)
    with pytest.raises(CheckpointError, match=r"model.safetensors: the header lists more than 1,000 tensors"):
        read_header(shard)


PATH_TRICKS = [
    "../model.safetensors", "/etc/passwd", "/etc/model.safetensors", "sub/model.safetensors", "..", ".", "",
    ".safetensors", "sub\\model.safetensors", "C:model.safetensors", "model.safetensors\0", "mo\ndel.safetensors",
    "model.bin", "~/m.safetensors/", "\ud800.safetensors", "m" * 300 + ".safetensors", 7, None, True,
    ["model.safetensors"], {"a": "model.safetensors"},
]  # fmt: skip


@pytest.mark.parametrize("file", PATH_TRICKS)
def test_path_tricks_in_the_index(tmp_path: Path, file: object) -> None:
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "config.json").write_text("{}")
    for folder in (tmp_path, root, root / "sub"):
        write(folder / "model.safetensors", {"a": GOOD})
    (root / INDEX).write_text(json.dumps({"weight_map": {"a": file}}))
    with pytest.raises(CheckpointError, match=r"index.json: tensor 'a' is said to be in .*, which is not the name of"):
        open_checkpoint(root)


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "n" * 1_000_000, "\u202e", "\ud800"])
def test_names_in_the_index_are_shown_safely(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    write(tmp_path / "model.safetensors", {"a": GOOD})
    for file in ("model.safetensors", "../model.safetensors", "gone.safetensors"):
        (tmp_path / INDEX).write_text(json.dumps({"weight_map": {name: file}}))
        with pytest.raises(CheckpointError) as caught:
            open_checkpoint(tmp_path)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "index",
    ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": null}', "[" * 100_000, "\udc00"],
)
def test_broken_index(tmp_path: Path, index: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    write(tmp_path / "model.safetensors", {"a": GOOD})
    (tmp_path / INDEX).write_bytes(index.encode("utf-8", "surrogatepass"))
    with pytest.raises(CheckpointError, match=r"model.safetensors.index.json"):
        open_checkpoint(tmp_path)


def test_files_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    shard = tmp_path / "model.safetensors"
    shard.symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="is a device, not a regular file"):
        open_checkpoint(tmp_path)
    shard.unlink()
    shard.symlink_to(shard)
    with pytest.raises(CheckpointError, match="cannot be opened: too many levels of symbolic links"):
        open_checkpoint(tmp_path)
    shard.unlink()
    shard.mkdir()
    with pytest.raises(CheckpointError, match="is a folder, not a regular file"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").unlink()
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match=r"config.json is a named pipe"):
        open_checkpoint(tmp_path)


def test_small_files_that_are_huge(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors", {"a": GOOD})
    with (tmp_path / "config.json").open("wb") as stream:
        stream.truncate(1 << 40)
    with memory_within(1_000_000), pytest.raises(CheckpointError, match=r"config.json has 1,099,511,627,776 bytes"):
        open_checkpoint(tmp_path)
