"""Recipes derived from files: they give the same types again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ggufpress import plan, quantize
from ggufpress.files import FileStamp
from ggufpress.gguf.reader import GgufFile, GgufTensor, read_gguf
from ggufpress.gguf.values import u32
from ggufpress.planning.facts import facts_of
from ggufpress.presets import BY_NAME
from ggufpress.quant.types import BF16, F32, Q4_K, Q8_0
from ggufpress.recipe import Recipe, choose_types, quantizable
from ggufpress.recipe.clone import _numbers, cloned, spelled_out
from ggufpress.recipe.file import read_recipe, recipe_text
from ggufpress.recipe.options import recipe_of
from tests.recipe.models import CASES, Case, Tensor
from tests.recipe.test_choose import recipe_for, recorded
from tests.tiny_checkpoints import BY_NAME as CHECKPOINTS
from tests.tiny_checkpoints import make


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(CHECKPOINTS["deep-gqa"], tmp_path_factory.mktemp("source"))


def clone_of(path: Path) -> str:
    file = read_gguf(path)
    return recipe_text(cloned(file, facts_of(file.metadata, [t.name for t in file.tensors])))


def types(path: Path) -> dict[str, str]:
    return {tensor.name: tensor.qtype.name for tensor in read_gguf(path).tensors}


def test_a_preset_is_recognized(tiny: Path, tmp_path: Path) -> None:
    for file in quantize(tiny, ["Q4_K_M", "IQ4_XS", "F16"], output=tmp_path).files:
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
    file = read_gguf(tmp_path / "a.gguf")
    without = {key: value for key, value in file.metadata.items() if key != "general.file_type"}
    recipe = cloned(replace(file, metadata=without), facts_of(file.metadata, types(tmp_path / "a.gguf")))
    assert recipe.preset.name == "Q4_0"
    floats = tuple(replace(t, qtype=F32) if "attn_q" in t.name else t for t in file.tensors)
    assert (
        cloned(replace(file, tensors=floats), facts_of(file.metadata, types(tmp_path / "a.gguf"))).preset.name == "Q8_0"
    )


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
        for again in (spelled_out(recipe, made, facts), clone_from(case, made, preset)):
            chosen = choose_types(tensors, replace(again, on_missing="unweighted"), facts)
            wanted = {name: qtype for name, shape, qtype in made if quantizable(name, shape, case.arch)}
            assert {name: chosen[name].qtype for name in wanted} == wanted, key


def clone_from(case: Case, made: list[Tensor], preset: str) -> Recipe:
    """The clone of a file of these tensors."""
    keys = case.metadata | {"general.file_type": u32(BY_NAME[preset].ftype)}
    tensors = tuple(GgufTensor(name, shape, qtype, 0, 0) for name, shape, qtype in made)
    file = GgufFile(Path("x.gguf"), 3, 32, keys, tensors, 0, 0, 0, FileStamp(0, 0))
    return cloned(file, facts_of(keys, [tensor.name for tensor in tensors]))


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
