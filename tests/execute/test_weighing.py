"""Importance reaches the rows that it belongs to, wherever slabs are cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress import plan, quantize
from ggufpress.errors import ImatrixError, UsageError
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BY_NAME, make


@pytest.fixture(scope="module")
def moe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(BY_NAME["mixtral-4"], tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def matrix(moe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matrix") / "imatrix.gguf"
    path.write_bytes(matrix_bytes("gguf", entries(moe)))
    return path


def test_files_do_not_depend_on_slabs_and_threads(moe: Path, matrix: Path, tmp_path: Path) -> None:
    made = set()
    for number, (memory, threads) in enumerate(((256 << 20, 1), (96 << 10, 3), (50_000, 2))):
        report = quantize(
            moe, ["Q4_0", "IQ4_XS"], output=tmp_path / str(number), imatrix=matrix, memory=memory, threads=threads
        )
        made.add(tuple(file.sha256 for file in report.files))
    assert len(made) == 1


def test_importance_changes_the_blocks_of_the_tensors_that_have_it(moe: Path, matrix: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    options = {"imatrix": matrix, "tensor_types": ["blk=q4_0"], "manifest": True}
    quantize(moe, ["Q4_0"], output=tmp_path / "all.gguf", **options)  # type: ignore[arg-type]
    quantize(moe, ["Q4_0"], output=tmp_path / "some.gguf", include_weights=["blk.1.attn_v"], **options)  # type: ignore[arg-type]
    assert (tmp_path / "all.gguf").read_bytes() != (tmp_path / "some.gguf").read_bytes()
    planned = plan(moe, ["Q4_0"], imatrix=matrix, include_weights=["blk.1.attn_v"]).outputs[0]
    assert [tensor.name for tensor in planned.tensors if tensor.entry] == ["blk.1.attn_v.weight"]


def test_the_manifest_names_the_matrix_and_the_recipe(moe: Path, matrix: Path, tmp_path: Path) -> None:
    import json

    report = quantize(moe, ["IQ2_M"], output=tmp_path, imatrix=matrix, imatrix_name="mine", pure=True, manifest=True)
    assert report.files[0].manifest
    found = json.loads(report.files[0].manifest.read_text())
    assert found["imatrix"]["name"] == "imatrix.gguf"
    assert len(found["imatrix"]["sha256"]) == 64
    assert found["output"]["recipe"]["pure"] is True
    assert {tensor["importance"] for tensor in found["output"]["tensors"]} == {"entry", "none"}


def test_types_that_cannot_be_made_without_are_made_with_ones(moe: Path, tmp_path: Path) -> None:
    report = quantize(moe, ["IQ2_XXS"], output=tmp_path, on_missing="unweighted")
    assert report.files[0].nbytes
    with pytest.raises(ImatrixError, match="an importance matrix is needed"):
        quantize(moe, ["IQ2_XXS"], output=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_words_about_a_matrix_without_one_are_refused(moe: Path) -> None:
    for options in ({"imatrix_name": "x"}, {"include_weights": ["x"]}, {"exclude_weights": ["x"]}):
        with pytest.raises(UsageError, match="but no matrix"):
            plan(moe, **options)


def test_without_any_entry_left_there_is_no_matrix(moe: Path, matrix: Path) -> None:
    output = plan(moe, imatrix=matrix, exclude_weights=["weight"]).outputs[0]
    assert not any(key.startswith("quantize.imatrix") for key in output.metadata)


def test_the_layout_is_llama_quantizes_where_only_it_can(moe: Path, matrix: Path) -> None:
    assert plan(moe, ["Q8_0"]).outputs[0].layout == "convert"
    assert plan(moe, ["Q8_0"], imatrix=matrix).outputs[0].layout == "quantize"
    assert plan(moe, ["F16"], token_embedding_type="q8_0").outputs[0].layout == "quantize"
    with pytest.raises(UsageError, match="knows no rules"):
        plan(moe, ["Q8_0"], layout="convert", pure=True)
