"""What holds for every plan, and the choices that are made before anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ggufpress import plan
from ggufpress.errors import UnsupportedError, UsageError
from ggufpress.footprint import footprints
from ggufpress.gguf.values import text
from ggufpress.planning import Plan, build_plan
from ggufpress.planning.build import output_paths
from ggufpress.recipe.presets import PRESETS
from ggufpress.source.folder import open_checkpoint
from ggufpress.source.resolve import resolve
from tests.tiny_checkpoints import BY_NAME, make

# Q1_0 has no smaller type for rows that do not divide by 128
TYPES = [preset.name for preset in PRESETS if preset.name != "Q1_0"]


@pytest.fixture(scope="module", params=["deep-gqa", "mixtral-4", "odd-40-wide", "llama3-rope", "tied-linear-rope"])
def planned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = make(BY_NAME[request.param], tmp_path_factory.mktemp("source"))
    return plan(folder, TYPES)


def test_tensors_are_aligned_and_follow_each_other_without_gaps(planned: Plan) -> None:
    for output in planned.outputs:
        assert len(output.header) % 32 == 0
        end = 0
        for tensor in output.tensors:
            assert tensor.offset == end
            assert tensor.nbytes > 0
            end += -(-tensor.nbytes // 32) * 32
        assert output.file_bytes == len(output.header) + end


def test_every_output_has_every_tensor_once(planned: Plan) -> None:
    names = {tensor.name for tensor in planned.model.tensors}
    for output in planned.outputs:
        assert len(output.tensors) == len(names)
        assert {tensor.name for tensor in output.tensors} == names


def test_types_fit_their_rows_and_say_why(planned: Plan) -> None:
    for output in planned.outputs:
        for tensor in output.tensors:
            assert tensor.qtype.fits(tensor.shape[-1])
            assert tensor.rule
            assert tensor.nbytes * tensor.qtype.block == tensor.source.n_params * tensor.qtype.block_bytes


def test_each_source_byte_is_read_once(planned: Plan) -> None:
    refs = open_checkpoint(planned.model.root).tensors.values()
    assert planned.model.source_bytes == sum(ref.nbytes for ref in refs)
    assert planned.disk_bytes == sum(output.file_bytes for output in planned.outputs)


def test_the_plan_is_plain_data(planned: Plan) -> None:
    found = json.loads(json.dumps(planned.to_json()))
    assert found["parameters"] == planned.model.n_params
    assert [output["type"] for output in found["outputs"]] == TYPES


def test_footprints_are_the_sizes_of_the_files(planned: Plan) -> None:
    sizes = {output.preset.name: output.file_bytes for output in planned.outputs}
    found = footprints(planned)
    assert [item.preset for item in found] == ["F32", "F16", "Q8_0", "Q4_K_M"]
    for item in found:
        assert abs(item.file_bytes - sizes[item.preset]) < 32 * (len(planned.model.tensors) + 1)
        assert item.memory_bytes > item.file_bytes


def test_the_layouts_differ_in_order_and_not_in_content(tmp_path: Path) -> None:
    source = resolve(make(BY_NAME["Tiny-Llama-4M-Chat-v0.2"], tmp_path))
    (converted,) = build_plan(source, ["Q8_0"], layout="convert").outputs
    (quantized,) = build_plan(source, ["Q8_0"], layout="quantize", via="f32").outputs
    assert converted.metadata == quantized.metadata
    assert list(quantized.metadata)[-2:] == ["general.quantization_version", "general.file_type"]
    assert list(converted.metadata)[-1].startswith("tokenizer.")
    assert {t.name for t in converted.tensors} == {t.name for t in quantized.tensors}
    assert [t.name for t in converted.tensors] != [t.name for t in quantized.tensors]
    assert (converted.via, quantized.via and quantized.via.name) == (None, "F32")


def test_names_of_outputs() -> None:
    assert output_paths("m", ["Q8_0", "F16"], None) == [Path("m-Q8_0.gguf"), Path("m-F16.gguf")]
    assert output_paths("m", ["Q8_0"], Path("out")) == [Path("out/m-Q8_0.gguf")]
    assert output_paths("m", ["Q8_0"], Path("out/x.gguf")) == [Path("out/x.gguf")]
    with pytest.raises(UsageError, match="2 types are asked for"):
        output_paths("m", ["Q8_0", "F16"], Path("x.gguf"))


def test_auto_follows_the_checkpoint(tmp_path: Path) -> None:
    found = {}
    for case in ("Tiny-Llama-4M-Chat-v0.2", "deep-gqa", "odd-96-wide", "tied-linear-rope"):
        planned = plan(make(BY_NAME[case], tmp_path), ["AUTO", "Q4_K_M"])
        found[case] = planned.outputs[0].preset.name
        assert planned.outputs[1].via is planned.outputs[0].preset
        assert planned.outputs[0].metadata["general.architecture"] == text("llama")
    assert list(found.values()) == ["BF16", "F16", "F16", "F16"]


def test_a_type_without_a_fallback_is_refused_in_the_plan(tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedError, match="rows of 40 are no multiple of 128, and llama-quantize has no smaller type"
    ):
        plan(make(BY_NAME["odd-40-wide"], tmp_path), ["Q1_0"])


def test_code_of_the_checkpoint_is_never_run_and_that_is_said(tmp_path: Path) -> None:
    folder = make(BY_NAME["yarn"], tmp_path)
    path = folder / "config.json"
    config = json.loads(path.read_text()) | {"auto_map": {"AutoModelForCausalLM": "evil.Model"}}
    path.write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    assert any("auto_map" in note for note in plan(folder, ["Q8_0"]).model.notes)
    assert not (tmp_path / "ran").exists()
