"""Shards that do not belong together, and GGUF sources made to hurt: each ends in an error that names the file."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from ggufpress import plan, quantize
from ggufpress.errors import GgufError, GgufpressError, UnsupportedError, UsageError, WeightError
from ggufpress.gguf.shards import read_gguf_set, shard_name, shard_path
from ggufpress.gguf.values import Metadata, Value, ValueType, array, flag, text, u32
from ggufpress.quant.types import F16, F32, F64, I32, Q4_K, Q8_0, Q8_K, QType
from ggufpress.shards.copying import copy
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import plan_split
from tests.made_gguf import Spec, make_gguf
from tests.traced_memory import memory_within

LAYER: tuple[Spec, ...] = tuple((f"blk.{i}.ffn_up.weight", (8, 256), F32) for i in range(6))


def shards_of(folder: Path, tensors: tuple[Spec, ...] = LAYER, size: int = 2) -> list[Path]:
    folder.mkdir(exist_ok=True)
    source = read_gguf_set(make_gguf(folder / "whole.gguf", tensors))
    return [file.path for file in copy(plan_split(source, folder / "s", split_limits(max_tensors=size))).files]


def refuse(path: Path, message: str) -> GgufError:
    with pytest.raises(GgufError, match=message) as caught:
        read_gguf_set(path)
    assert str(caught.value).isprintable()
    return caught.value


def test_any_shard_stands_for_the_set(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    sets = [read_gguf_set(path) for path in shards]
    assert sets[0] == sets[1] == sets[2]
    assert sets[0].name == "s"
    assert [ref.name for ref in sets[0].tensors] == [name for name, _, _ in LAYER]
    assert "split.no" not in sets[0].metadata


def test_missing_shards_are_named(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    shards[1].unlink()
    error = refuse(shards[2], r"1 of 3 shards are missing: s-00002-of-00003\.gguf")
    assert "download or copy" in (error.hint or "")
    shards[0].unlink()
    refuse(shards[2], r"2 of 3 shards are missing: s-00001-of-00003\.gguf, s-00002-of-00003\.gguf")


def test_a_doubled_shard(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    shutil.copy(shards[0], shards[1])
    refuse(shards[0], r"s-00002-of-00003\.gguf says that it is shard 1 of 3, its name says 2 of 3")


def test_a_shard_of_another_model(tmp_path: Path) -> None:
    ours = shards_of(tmp_path / "a")
    other = shards_of(tmp_path / "b", (*LAYER[:5], ("other.weight", (4,), F32)))
    shutil.copy(other[0], ours[0])
    assert len(read_gguf_set(ours[0]).tensors) == 6
    # another number of tensors in all
    larger = shards_of(tmp_path / "c", (*LAYER, *((f"x{i}", (4,), F32) for i in range(2))), size=3)
    shutil.copy(larger[2], ours[2])
    error = refuse(ours[0], "is of a set with 8 tensors, .* of one with 6")
    assert "another model" in (error.hint or "")


def test_shards_that_overlap_or_leave_tensors_out(tmp_path: Path) -> None:
    ours = shards_of(tmp_path / "a")
    moved = shards_of(tmp_path / "b", (*LAYER[2:], *LAYER[:2]))
    shutil.copy(moved[1], ours[1])
    refuse(ours[0], r"tensor 'blk\.4\.ffn_up\.weight' stands in s-00002-of-00003\.gguf too")
    fewer = shards_of(tmp_path / "c", LAYER[:5])
    for path in ours:
        path.unlink()
    keys: Metadata = {"split.no": u32(0), "split.count": u32(1), "split.tensors.count": u32(9)}
    assert len(read_gguf_set(make_gguf(tmp_path / "alone.gguf", LAYER[:1], keys)).files) == 1
    data = [path.read_bytes() for path in fewer]
    wrong = struct.pack("<i", 6)
    for path, content in zip(fewer, data, strict=True):
        at = content.index(b"split.tensors.count") + len("split.tensors.count") + 4
        path.write_bytes(content[:at] + wrong + content[at + 4 :])
    refuse(fewer[0], "hold 5 tensors, split.tensors.count says 6")


def test_a_truncated_shard(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    shards[1].write_bytes(shards[1].read_bytes()[:-100])
    refuse(shards[0], r"s-00002-of-00003\.gguf ends within tensor 'blk\.3\.ffn_up\.weight'")


def test_a_shard_that_is_whole(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    shutil.copy(tmp_path / "whole.gguf", shards[2])
    refuse(shards[0], r"s-00003-of-00003\.gguf is not a shard")


def test_a_renamed_shard(tmp_path: Path) -> None:
    shards = shards_of(tmp_path)
    for name in ("model.gguf", "s-00002-of-00003.gguf", "s-1-of-3.gguf", "s-00001-of-00004.gguf"):
        other = shards[0].rename(tmp_path / name)
        error = refuse(other, "its name is not NAME-00001-of-00003")
        assert "rename it" in (error.hint or "")
        shards[0] = other


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"split.count": u32(3)}, "split.no is missing"),
        ({"split.count": u32(3), "split.no": u32(3)}, "says that it is shard 4 of 3"),
        ({"split.count": u32(3), "split.no": Value(ValueType.INT16, -1)}, "says that it is shard 0 of 3"),
        ({"split.count": Value(ValueType.UINT64, 2**63), "split.no": u32(0)}, "says that it is shard 1 of 9,223"),
        ({"split.count": u32(3000), "split.no": u32(0)}, "2999 of 3000 shards are missing"),
        ({"split.count": text("3"), "split.no": u32(0)}, "split.count is STRING, not a whole number"),
        ({"split.count": flag(True), "split.no": u32(0)}, "split.count is BOOL, not a whole number"),
        ({"split.count": array(ValueType.UINT16, [3])}, "split.count is ARRAY, not a whole number"),
    ],
)
def test_keys_that_contradict_each_other(keys: Metadata, message: str, tmp_path: Path) -> None:
    count = keys["split.count"].data
    path = make_gguf(shard_path(tmp_path / "s", 0, count if count in (3, 3000) else 3), LAYER[:1], keys)  # type: ignore[arg-type]
    with memory_within(64 << 20):
        refuse(path, message)


def test_names_of_shards() -> None:
    assert shard_path(Path("d/m"), 0, 3) == Path("d/m-00001-of-00003.gguf")
    assert shard_name(Path("d/m-00001-of-00003.gguf")) == (Path("d/m"), 0, 3)
    assert shard_name(shard_path(Path("m"), 99_999, 123_456)) == (Path("m"), 99_999, 123_456)
    for name in ("m.gguf", "m-1-of-3.gguf", "m-00001-of-00003.bin", "-00001-of-00003.gguf", "m-000001-of-00003.gguf"):
        assert shard_name(Path(name)) is None


def source(tmp_path: Path, tensors: tuple[Spec, ...] = LAYER, keys: Metadata | None = None) -> Path:
    return make_gguf(tmp_path / "m.gguf", tensors, {"llama.block_count": u32(6), **(keys or {})})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"llama.block_count": text("many")}, "llama.block_count is no count"),
        ({"llama.expert_count": Value(ValueType.FLOAT32, float("nan"))}, "llama.expert_count is no count"),
        ({"llama.attention.head_count": array(ValueType.INT32, [])}, "head_count is no count"),
        ({"llama.attention.head_count_kv": array(ValueType.STRING, ["x"])}, "head_count_kv is no count"),
        ({"llama.block_count": Value(ValueType.INT64, -1)}, "llama.block_count is no count"),
        ({"general.architecture": u32(3)}, "general.architecture is missing or no text"),
        ({"general.architecture": text(b"\xff")}, "general.architecture is missing or no text"),
        ({"general.file_type": text("Q8_0")}, "general.file_type is STRING, not UINT32"),
    ],
)
def test_keys_that_types_depend_on(keys: Metadata, message: str, tmp_path: Path) -> None:
    with pytest.raises(GgufError, match=message):
        plan(source(tmp_path, keys=keys))


def test_huge_counts_are_only_numbers(tmp_path: Path) -> None:
    keys: Metadata = {
        "llama.block_count": Value(ValueType.UINT64, 2**64 - 1), "llama.expert_count": Value(ValueType.UINT64, 2**63),
        "llama.attention.head_count": u32(0), "llama.embedding_length": u32(2**32 - 1),
    }  # fmt: skip
    assert plan(source(tmp_path, keys=keys)).outputs[0].tensors


def test_an_alignment_that_would_take_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    source(tmp_path, LAYER[:1])
    data = path.read_bytes()
    name, at = b"general.alignment", data.index(b"llama.block_count") - 8
    key = struct.pack("<Q", len(name)) + name + struct.pack("<II", 4, 1 << 31)
    head = data[:16] + struct.pack("<Q", struct.unpack("<Q", data[16:24])[0] + 1) + data[24:at] + key + data[at:]
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(1 << 33)
    with memory_within(4 << 20):
        for attempt in (lambda: plan(path), lambda: plan_split(read_gguf_set(path), tmp_path / "s", split_limits())):
            with pytest.raises(GgufError, match=r"general\.alignment is 2,147,483,648, more than"):
                attempt()


@pytest.mark.parametrize(("qtype", "cols"), [(I32, 8), (F64, 8), (Q8_K, 256)])
def test_types_that_no_one_converts(qtype: QType, cols: int, tmp_path: Path) -> None:
    path = source(tmp_path, (*LAYER, ("blk.0.ffn_down.weight", (4, cols), qtype)))
    with pytest.raises(UnsupportedError, match=f"ffn_down.weight is stored as {qtype}, which cannot be converted"):
        plan(path, allow_requantize=True)
    assert plan(path, ["COPY"]).outputs[0].tensors


def test_integers_that_nobody_touches_are_copied(tmp_path: Path) -> None:
    path = source(tmp_path, (*LAYER, ("table", (3, 5), I32), ("wide", (7,), F64)))
    (made,) = quantize(path, ["Q8_0"], output=tmp_path / "o.gguf", manifest=True).files
    kept = {ref.name: ref.dtype for ref in read_gguf_set(made.path).tensors}
    assert (kept["table"], kept["wide"]) == ("I32", "F64")


def test_a_quantized_vector_is_read_in_blocks(tmp_path: Path) -> None:
    path = source(tmp_path, (*LAYER, ("odd", (32 * 3,), Q8_0), ("long", (1 << 23,), Q4_K)))
    (made,) = quantize(path, ["F16"], output=tmp_path / "o.gguf", memory=4 << 20).files
    assert {ref.name: ref.dtype for ref in read_gguf_set(made.path).tensors}["long"] == "Q4_K"


def test_empty_tensors_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(GgufError, match="tensor 'e' is empty"):
        plan(source(tmp_path, (*LAYER, ("e", (0, 256), F32))))
    with pytest.raises(GgufError, match="holds no tensors"):
        plan(source(tmp_path, ()))


@pytest.mark.parametrize("preset", ["COPY", "Q8_0", "F16"])
@pytest.mark.parametrize("bad", [b"\x00\x00\xc0\x7f", b"\x00\x00\x80\xff"])
def test_weights_that_are_no_numbers(preset: str, bad: bytes, tmp_path: Path) -> None:
    path = source(tmp_path)
    place = read_gguf_set(path).tensors[2].offset + 4 * (256 + 7)
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(bad)
    with pytest.raises(WeightError, match=r"blk\.2\.ffn_up\.weight is not a finite number at \[1, 7\]"):
        quantize(path, [preset], output=tmp_path / "o.gguf")
    assert not (tmp_path / "o.gguf").exists()


def test_weights_that_the_type_cannot_hold(tmp_path: Path) -> None:
    path = source(tmp_path)
    with path.open("r+b") as stream:
        stream.seek(read_gguf_set(path).tensors[1].offset)
        stream.write(struct.pack("<f", 1e30))
    with pytest.raises(WeightError, match=r"blk\.1\.ffn_up\.weight has weights that are too large for F16"):
        quantize(path, ["F16"], output=tmp_path / "o.gguf")


def test_options_that_a_gguf_source_does_not_have(tmp_path: Path) -> None:
    path = source(tmp_path, (*LAYER, ("output.weight", (4, 256), Q8_0), ("blk.0.ffn_down.weight", (4, 64), F16)))
    for options, message in (
        ({"via": "f16"}, "--via f16 is for a checkpoint"),
        ({"layout": "convert"}, "this source is a GGUF file"),
        ({"types": ["Q4_K_M"]}, r"1 tensors are quantized already .* output\.weight \(Q8_0\)"),
        ({"output": path, "types": ["COPY"]}, "is read and cannot be written"),
        ({"keep_split": True, "split_max_tensors": 3}, "exclude each other"),
        ({"prune_layers": "6"}, "there is no layer 6: they are 0 to 5"),
        ({"prune_layers": "0,1,2,3,4,5"}, "no layer would stay"),
        ({"prune_layers": "1,x"}, "is no list of layers"),
        ({"prune_layers": [-1]}, "-1 is no layer"),
    ):
        with pytest.raises(GgufpressError, match=message) as caught:
            plan(path, **({"types": ["COPY"]} | options))
        assert isinstance(caught.value, UsageError)
