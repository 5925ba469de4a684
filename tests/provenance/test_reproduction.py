"""Files made again from their manifests: the same bytes, or what is not the same and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize, reproduce
from ggufpress.errors import OutputError, UsageError
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD, BY_NAME, copy_bard, make

OPTIONS: dict[str, dict[str, Any]] = {
    "a preset": {"types": ["Q4_K_M"]},
    "floats": {"types": ["AUTO"]},
    "the quantizer's layout": {"types": ["Q8_0"], "layout": "quantize", "via": "f16"},
    "rules": {"types": ["Q3_K_M"], "tensor_types": ["attn_v=q8_0"], "output_tensor_type": "q5_1", "pure": True},
    "shards": {"types": ["Q8_0"], "split_max_size": "1M"},
    "fewer layers, other keys": {"types": ["Q4_0"], "prune_layers": "0,2", "override_kv": ["general.name=str:x=1:2"]},
    "importance": {"types": ["IQ3_S"], "imatrix": "imatrix.gguf", "exclude_weights": ["attn_q"]},
}


def made(source: Path, folder: Path, **options: Any) -> Path:
    types = options.pop("types")
    if "imatrix" in options:
        (folder / "imatrix.gguf").write_bytes(matrix_bytes("gguf", entries(source)))
        options |= {"imatrix": folder / "imatrix.gguf", "imatrix_name": "elsewhere/im.gguf"}
    manifest = quantize(source, types, output=folder / "a.gguf", manifest=True, **options).files[0].manifest
    assert manifest
    return manifest


@pytest.mark.parametrize("name", OPTIONS)
def test_the_same_bytes_are_made_again(name: str, tmp_path: Path) -> None:
    manifest = made(BARD, tmp_path, **OPTIONS[name])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    found = reproduce(manifest, source=BARD)
    assert found.equal
    assert found.notes == ()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_from_a_gguf_file_and_from_shards(tmp_path: Path) -> None:
    quantize(BARD, ["F16"], output=tmp_path / "f.gguf", split_max_tensors=10)
    for options in ({"keep_split": True}, {"allow_requantize": True}):
        folder = tmp_path / str(len(options)) / next(iter(options))
        folder.mkdir(parents=True)
        manifest = made(tmp_path / "f-00002-of-00004.gguf", folder, types=["Q5_K_S"], **options)
        assert reproduce(manifest, source=tmp_path / "f-00001-of-00004.gguf").equal


def test_a_folder_that_is_called_otherwise_now(tmp_path: Path) -> None:
    manifest = made(BARD, tmp_path, types=["Q4_K_M"])
    folder = copy_bard(tmp_path / "x").rename(tmp_path / "another")
    kept = tmp_path / "again.gguf"
    assert reproduce(manifest, source=folder, output=kept).equal
    assert kept.read_bytes() == (tmp_path / "a.gguf").read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        reproduce(manifest, source=folder, output=kept)


def test_the_source_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = made(BARD, tmp_path, types=["Q8_0"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="the source bard-4m is neither here nor beside"):
        reproduce(manifest)
    copy_bard(tmp_path)
    assert reproduce(manifest).equal


def test_other_weights_are_told(tmp_path: Path) -> None:
    manifest = made(BARD, tmp_path, types=["Q4_K_M"])
    folder = copy_bard(tmp_path / "x")
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1000] ^= 0x80
    (folder / "model.safetensors").write_bytes(data)
    found = reproduce(manifest, source=folder)
    assert not found.equal
    assert found.notes == ("model.safetensors of the source has another sha256",)
    assert "has another sha256" not in found.differences[0]
    assert found.differences[0].startswith("a.gguf: the sha256 is ")
    assert len(found.differences) == 2
    assert "has other bytes" in found.differences[1]


def test_what_may_be_the_cause_is_told(tmp_path: Path) -> None:
    manifest = made(BARD, tmp_path, types=["Q8_0"])
    content = json.loads(manifest.read_text())
    content["versions"]["ggufpress"] = "0.0.1"
    content["output"]["files"][0]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(content))
    found = reproduce(manifest, source=BARD)
    assert not found.equal
    assert found.notes == ("ggufpress is 0.1.0, it was 0.0.1",)
    folder = make(BY_NAME["few-keys"], tmp_path)
    assert any("of the source is missing" in note for note in reproduce(manifest, source=folder).notes)


def test_a_matrix_is_asked_for(tmp_path: Path) -> None:
    manifest = made(BARD, tmp_path, types=["IQ3_S"], imatrix=True)
    (tmp_path / "imatrix.gguf").rename(tmp_path / "other.gguf")
    with pytest.raises(UsageError, match=r"was made with the importance matrix imatrix\.gguf"):
        reproduce(manifest, source=BARD)
    assert reproduce(manifest, source=BARD, imatrix=tmp_path / "other.gguf").equal
    plain = made(BARD, tmp_path / "x", types=["Q8_0"])
    with pytest.raises(UsageError, match="knows of no importance matrix"):
        reproduce(plain, source=BARD, imatrix=tmp_path / "other.gguf")
