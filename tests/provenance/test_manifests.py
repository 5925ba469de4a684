"""Manifests as they are written and read: what they say, and what becomes of broken ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from ggufpress.errors import ManifestError
from ggufpress.provenance.manifests import read_manifest
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD, copy_bard

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifest")
    (folder / "imatrix.gguf").write_bytes(matrix_bytes("gguf", entries(BARD)))
    (file,) = quantize(
        BARD, ["Q4_K_M"], output=folder / "a.gguf", manifest=True, imatrix=folder / "imatrix.gguf", imatrix_name="im",
        tensor_types=["attn_k=q8_0"], prune_layers="1", override_kv=["general.name=str:a=b:c", "x.y=float:0.25", "x.z=bool:true"],
    ).files  # fmt: skip
    assert file.manifest
    return file.manifest


def test_what_a_manifest_says(written: Path) -> None:
    content = json.loads(written.read_text())
    assert set(content["versions"]) == {"ggufpress", "numpy", "tokenizers", "sentencepiece", "reference"}
    assert content["source"]["kind"] == "checkpoint"
    assert {rule["type"] for rule in content["resolved_recipe"]["rule"]} >= {"Q8_0", "Q6_K"}
    found = read_manifest(written)
    assert (found.source_name, found.request.imatrix_name) == ("bard-4m", "im")
    assert found.imatrix
    assert found.imatrix.name == "imatrix.gguf"
    assert found.request.override_kv == ("general.name=str:a=b:c", "x.y=float:0.25", "x.z=bool:true")
    assert found.request.prune_layers == (1,)
    assert [str(rule) for rule in found.request.recipe.overrides] == ["attn_k=Q8_0"]
    assert len(found.tensors) == 39 - 9
    assert found.tensors["output_norm.weight"].rmse == 0


def test_the_revision_is_what_a_download_left(tmp_path: Path) -> None:
    folder = copy_bard(tmp_path)
    notes = folder / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (notes / f"{name}.metadata").write_text(f"{COMMIT}\n{'0' * 40}\n1700000000.0\n")
    (file,) = quantize(folder, ["Q8_0"], output=tmp_path, manifest=True).files
    assert file.manifest
    assert read_manifest(file.manifest).revision == COMMIT


def _set(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        *path, last = place.split(".")
        at: Any = content
        for word in path:
            at = at[int(word) if word.isdigit() else word]
        at[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("manifest", 7), "no manifest of format 1: its `manifest` is 7"),
        (_set("source", []), r"source\. is no JSON object"),
        (_set("source.name", "../../etc"), "source.name is no name of a file"),
        (_set("imatrix.name", "/etc/passwd"), "imatrix.name is no name of a file"),
        (_set("output.files.0.path", ".."), r"output.files\[0\].path is no name of a file"),
        (_set("output.files.0.bytes", -1), "bytes is -1"),
        (_set("output.files.0.bytes", True), "bytes is True"),
        (_set("output.files.0.sha256", None), "sha256 is None"),
        (_set("output.tensors.3.shape", ["x"]), "shape is not a list of int"),
        (_set("output.recipe.preset", "Q9"), "output.recipe: no preset"),
        (_set("output.recipe.surprise", 1), "output.recipe: the key 'surprise' is unknown"),
        (_set("request.prune_layers", "1"), "request.prune_layers is 1"),
        (_set("request.keep_split", 0), "request.keep_split is 0"),
    ],
)
def test_a_broken_manifest_is_an_error_that_names_the_key(
    written: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    content = json.loads(written.read_text())
    change(content)
    path = tmp_path / "m.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[" * 100_000, b"[]", b"{}", b'{"manifest": 1}'])
def test_what_is_no_manifest(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(data)
    with pytest.raises(ManifestError, match=r"m\.json"):
        read_manifest(path)
