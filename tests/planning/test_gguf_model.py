from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress import plan
from ggufpress.gguf.reader import GgufData, read_gguf
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.gguf.values import Metadata, Value, ValueType, array, text, u32
from ggufpress.planning.gguf_model import gguf_model, stored_file_type
from ggufpress.quant.types import BF16, F16, F32, IQ2_S, MXFP4, Q4_K, Q8_0, QType
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import plan_merge, plan_split
from tests.made_gguf import Spec, make_gguf

KEYS: Metadata = {"llama.block_count": u32(3), "general.quantization_version": u32(1), "general.name": text("x")}


def file_with(path: Path, types: list[QType], keys: Metadata | None = None) -> Path:
    return make_gguf(path, [(f"t{i:02}.weight", (2, 256), qtype) for i, qtype in enumerate(types)], keys or KEYS)


@pytest.mark.parametrize(
    ("types", "number"),
    [
        ([F32, F16, F16], 1), ([F32, F16], 0), ([F16, F32], 1), ([F16, F32, F32, F16], 0), ([BF16], 32), ([Q4_K], 15),
        ([Q8_0, Q8_0, F32], 7), ([IQ2_S], 28), ([MXFP4], 0),
    ],
)  # fmt: skip
def test_a_file_that_does_not_say_its_type_is_guessed(types: list[QType], number: int, tmp_path: Path) -> None:
    found = stored_file_type(read_gguf_set(file_with(tmp_path / "m.gguf", types)))
    # llama.cpp marks a guess with 1024
    assert found == 1024 + number


def test_keys_keep_their_order_and_two_move_to_the_end(tmp_path: Path) -> None:
    keys: Metadata = {"general.file_type": u32(1), **KEYS, "split.count": Value(ValueType.UINT16, 0), "z": text("last")}
    path = file_with(tmp_path / "m.gguf", [F16], keys)
    output = plan(path, ["COPY"]).outputs[0]
    assert list(output.metadata) == [
        "general.architecture", "llama.block_count", "general.name", "z", "general.quantization_version", "general.file_type",
    ]  # fmt: skip
    assert output.metadata["general.quantization_version"] == u32(2)
    assert output.metadata["general.file_type"] == u32(1)


def test_auto_keeps_the_types(tmp_path: Path) -> None:
    path = file_with(tmp_path / "m.gguf", [F16, Q8_0, F32])
    (output,) = plan(path, ["AUTO"]).outputs
    assert output.path == Path("m-COPY.gguf")
    assert [tensor.qtype for tensor in output.tensors] == [F16, Q8_0, F32]


def test_values_for_each_layer_are_left_as_they_are_and_noted(tmp_path: Path) -> None:
    keys = {**KEYS, "llama.attention.head_count_kv": array(ValueType.INT32, [4, 2, 1])}
    tensors: list[Spec] = [(f"blk.{i}.ffn_up.weight", (4, 256), F16) for i in range(3)]
    path = make_gguf(tmp_path / "m.gguf", tensors, keys)
    found = plan(path, ["COPY"], prune_layers="1")
    assert [tensor.name for tensor in found.outputs[0].tensors] == ["blk.0.ffn_up.weight", "blk.1.ffn_up.weight"]
    assert found.model.origins == {
        "blk.0.ffn_up.weight": "blk.0.ffn_up.weight",
        "blk.1.ffn_up.weight": "blk.2.ffn_up.weight",
    }
    assert found.outputs[0].metadata["llama.block_count"] == u32(2)
    assert "layers left out: 1; 2 stay" in found.model.notes
    assert any("head_count_kv still has a value for each of the 3 layers" in note for note in found.model.notes)


def test_a_model_without_a_vocabulary(tmp_path: Path) -> None:
    model = gguf_model(read_gguf_set(file_with(tmp_path / "m.gguf", [F16])))
    assert (model.arch, model.vocab.kind, model.vocab.n_vocab, model.hf_class) == ("llama", "none", 0, None)


def test_files_of_more_than_4_gib(tmp_path: Path) -> None:
    large: list[Spec] = [(f"blk.{i}.ffn_up.weight", (1 << 14, 1 << 16), F16) for i in range(3)]
    path = make_gguf(tmp_path / "m.gguf", [*large, ("last.weight", (2, 256), F16)], KEYS, sparse=True)
    file = read_gguf(path)
    assert file.file_size > 6 << 30
    with path.open("r+b") as stream:
        stream.seek(file.tensors[-1].offset + 1000)
        stream.write(b"\x01\x02\x03\x04")
    with GgufData(read_gguf(path)) as data:
        buffer = bytearray(24)
        data.read_into(file.tensors[-1], 1000, memoryview(buffer))
        assert buffer == b"\x01\x02\x03\x04" + bytes(20)
    source = read_gguf_set(path)
    shards = plan_split(source, tmp_path / "s", split_limits("5G")).files
    assert [[tensor.name[:6] for tensor in shard.tensors] for shard in shards] == [
        ["blk.0.", "blk.1."],
        ["blk.2.", "last.w"],
    ]
    assert shards[0].tensors[1].offset == shards[1].tensors[1].offset == 2 << 30
    with path.open("rb") as stream:
        assert plan_merge(source, tmp_path / "o.gguf").files[0].header == stream.read(file.data_offset)
    (output,) = plan(path, ["COPY"]).outputs
    assert output.file_bytes == len(output.header) + (6 << 30) + 1024
    assert output.tensors[-1].offset == (4 << 30) + 1024
    assert plan(path, ["F32"]).outputs[0].tensors[-1].offset == (8 << 30) + 2048


def test_thousands_of_tensors_with_the_longest_names(tmp_path: Path) -> None:
    names = [f"blk.{i}." + "n" * (63 - len(f"blk.{i}.") - 7) + ".weight" for i in range(5000)]
    path = make_gguf(
        tmp_path / "m.gguf", [(name, (2, 32), F16) for name in names], {**KEYS, "llama.block_count": u32(5000)}
    )
    (output,) = plan(path, ["Q8_0"]).outputs
    assert {tensor.name for tensor in output.tensors} == set(names)
    assert {tensor.qtype for tensor in output.tensors} == {Q8_0}


@pytest.mark.parametrize(
    ("file", "model"),
    [("tiny-F16", "tiny"), ("tiny-1.1b-q4_k_m", "tiny-1.1b"), ("tiny-v2", "tiny-v2"), ("F16", "F16"), ("-F16", "-F16")],
)
def test_a_model_is_not_called_after_its_type(file: str, model: str, tmp_path: Path) -> None:
    path = file_with(tmp_path / f"{file}.gguf", [F16])
    assert plan(path, ["Q8_0"]).outputs[0].path == Path(f"{model}-Q8_0.gguf")
