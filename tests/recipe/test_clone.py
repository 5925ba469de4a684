"""Recipes derived from files: they give the same types again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ggufpress import plan, quantize
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.values import Metadata, u32
from ggufpress.planning.facts import facts_of
from ggufpress.quant.types import BF16, F32, NVFP4, Q4_K, Q6_K, Q8_0
from ggufpress.recipe import Recipe, choose_types, quantizable
from ggufpress.recipe.clone import _numbers, cloned, spelled_out
from ggufpress.recipe.file import read_recipe, recipe_text
from ggufpress.recipe.options import recipe_of
from ggufpress.recipe.presets import BY_NAME
from tests.recipe.models import CASES, Case, Tensor
from tests.recipe.test_choose import recipe_for, recorded
from tests.tiny_checkpoints import BY_NAME as CHECKPOINTS
from tests.tiny_checkpoints import make


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(CHECKPOINTS["deep-gqa"], tmp_path_factory.mktemp("source"))


def clone_of(path: Path) -> str:
    return recipe_text(clone_from(*parts(path)))


def parts(path: Path) -> tuple[Metadata, list[Tensor]]:
    file = read_gguf(path)
    return file.metadata, [(tensor.name, tensor.shape, tensor.qtype) for tensor in file.tensors]


def clone_from(metadata: Metadata, tensors: list[Tensor]) -> Recipe:
    return cloned(metadata, tensors, facts_of(metadata, [name for name, _, _ in tensors]))


def types(path: Path) -> dict[str, str]:
    return {tensor.name: tensor.qtype.name for tensor in read_gguf(path).tensors}


def test_a_preset_is_recognized(tiny: Path, tmp_path: Path) -> None:
    for file in quantize(tiny, ["Q4_K_M", "IQ4_XS", "F16"], output=tmp_path).files:
        assert clone_of(file.path) == f'preset = "{file.type}"\n'


def test_types_that_rows_do_not_fit_need_no_rule(tmp_path: Path) -> None:
    source = make(CHECKPOINTS["odd-96-wide"], tmp_path / "source")
    for file in quantize(source, ["Q4_K_M", "IQ3_M"], output=tmp_path).files:
        assert clone_of(file.path) == f'preset = "{file.type}"\n'


def test_a_mix_is_given_to_another_model(tiny: Path, tmp_path: Path) -> None:
    rules = ["attn_v=q8_0", r"blk\.(3|4|5|12)\.ffn_down=q5_k", "attn_output=iq4_nl"]
    quantize(tiny, ["Q4_K_S"], output=tmp_path / "a.gguf", tensor_types=rules, output_tensor_type="bf16")
    (tmp_path / "a.toml").write_text(clone_of(tmp_path / "a.gguf"))
    recipe = read_recipe(tmp_path / "a.toml")
    assert [str(rule) for rule in recipe.overrides if "attn_v" in rule.pattern] == [r"^blk\.\d+\.attn_v\.weight$=Q8_0"]
    assert recipe.output_tensor_type is BF16
    quantize(tiny, output=tmp_path / "b.gguf", recipe=tmp_path / "a.toml")
    assert types(tmp_path / "b.gguf") == types(tmp_path / "a.gguf")
    assert (tmp_path / "b.gguf").read_bytes() == (tmp_path / "a.gguf").read_bytes()


def test_a_file_of_an_unknown_mix(tiny: Path, tmp_path: Path) -> None:
    quantize(tiny, ["Q8_0"], output=tmp_path / "a.gguf", tensor_types=["ffn=q4_0", "attn=q4_0"])
    metadata, tensors = parts(tmp_path / "a.gguf")
    without = {key: value for key, value in metadata.items() if key != "general.file_type"}
    assert clone_from(without, tensors).preset.name == "Q4_0"
    floats = [(name, shape, F32 if "attn_q" in name else qtype) for name, shape, qtype in tensors]
    assert clone_from(metadata, floats).preset.name == "Q8_0"
    f16 = metadata | {"general.file_type": u32(1)}
    assert clone_from(f16, tensors).pure


def test_names_that_no_rule_can_tell_apart(tiny: Path, tmp_path: Path) -> None:
    metadata, tensors = parts(quantize(tiny, ["Q8_0"], output=tmp_path).files[0].path)
    capitals: list[Tensor] = [("blk.0.FOO.weight", (4, 256), Q4_K)]
    recipe = clone_from(metadata, [*tensors, *capitals])
    assert [str(rule) for rule in recipe.overrides] == [r"^blk\.\d+\....\.weight$=Q4_K"]
    with pytest.raises(UnsupportedError, match=r"no rule can tell blk\.0\.(FOO|BAR)\.weight"):
        clone_from(metadata, [*tensors, *capitals, ("blk.0.BAR.weight", (4, 256), Q6_K)])
    with pytest.raises(UnsupportedError, match=r"blk\.0\.x\.weight is NVFP4, which cannot be made"):
        clone_from(metadata, [*tensors, ("blk.0.x.weight", (4, 256), NVFP4)])


@pytest.mark.parametrize("case", [case for case in CASES if case.n_layer < 20], ids=lambda case: case.name)
def test_clones_of_recorded_files_give_the_same_types(case: Case, tmp_path: Path) -> None:
    tensors = case.tensors
    facts = facts_of(case.metadata, [name for name, _, _ in tensors])
    for key, expected in recorded()[case.name].items():
        options, matrix, preset = key.split("/")
        if not expected or options == "plain" or preset not in ("Q4_K_M", "IQ2_S"):
            continue
        recipe = recipe_for(case, options, preset)
        with_types = choose_types(
            tensors, replace(recipe, on_missing="unweighted"), replace(facts, imatrix=matrix == "imatrix")
        )
        made = [(name, shape, with_types[name].qtype) for name, shape, _ in tensors]
        keys = case.metadata | {"general.file_type": u32(BY_NAME[preset].ftype)}
        for again in (spelled_out(recipe, made, facts), clone_from(keys, made)):
            chosen = choose_types(tensors, replace(again, on_missing="unweighted"), facts)
            wanted = {name: qtype for name, shape, qtype in made if quantizable(name, shape, case.arch)}
            assert {name: chosen[name].qtype for name in wanted} == wanted, key


@pytest.mark.parametrize(
    "layers", [[0], [7], [0, 1, 2], [1, 3], [10], [9, 10, 11], [1, 10, 11, 12, 19, 20, 100], [*range(128)]]
)
def test_layers_are_written_as_a_pattern_that_finds_them_alone(layers: list[int]) -> None:
    pattern = re.compile(_numbers(layers))
    assert [i for i in range(300) if pattern.fullmatch(str(i))] == layers


def test_a_resolved_recipe_makes_the_same_file(tiny: Path, tmp_path: Path) -> None:
    recipe = recipe_of(tensor_types=["ffn_up=q8_0"], leave_output_tensor=True)
    output = plan(tiny, recipe=recipe).outputs[0]
    tensors = [(tensor.name, tensor.shape, tensor.qtype) for tensor in output.tensors]
    resolved = spelled_out(recipe, tensors, plan(tiny).model.facts)
    assert resolved.pure
    assert {rule.qtype for rule in resolved.overrides} >= {Q8_0}
    assert all(rule.qtype is not Q4_K for rule in resolved.overrides)
    for name, used in (("a", recipe), ("b", resolved)):
        quantize(tiny, output=tmp_path / f"{name}.gguf", recipe=used)
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    floats = recipe_of(preset="BF16")
    assert spelled_out(floats, tensors, plan(tiny).model.facts) == floats
