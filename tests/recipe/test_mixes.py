"""Whole files with importance and rules, byte for byte llama-quantize's. Options go through our own command line."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ggufpress import plan, quantize
from ggufpress.cli.main import cli
from ggufpress.errors import ImatrixError, UnsupportedError
from tests.digests import differences, digest
from tests.recipe.mixes import MIXES, Mix, entries, matrix_bytes, matrix_name, source
from tests.tiny_checkpoints import DATA

DEFAULT = [mix for mix in MIXES if not mix.wide]
WIDE = [mix for mix in MIXES if mix.wide]


@cache
def expected(file: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(lzma.decompress((DATA / "expected" / file).read_bytes()))
    return data


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made: dict[str, Path] = {}

    def checkpoint(name: str) -> Path:
        if name not in made:
            made[name] = source(name, tmp_path_factory.mktemp("source"))
        return made[name]

    return checkpoint


def quantized(mix: Mix, folder: Path, presets: list[str]) -> dict[str, Path]:
    """The files of `mix` in the current folder, by preset."""
    words = ["quantize", str(folder), "--layout", "quantize", "-o", "out", "--quiet", *mix.options]
    for preset in presets:
        words += ["-q", preset]
    if mix.matrix:
        # llama-quantize was given what is left of the matrix; here the whole one, and the same words to choose from it
        name = Path("whole") / matrix_name(mix.matrix)
        name.parent.mkdir(exist_ok=True)
        name.write_bytes(matrix_bytes(mix.matrix, entries(folder)))
        words += ["--imatrix", str(name), "--imatrix-name", matrix_name(mix.matrix)]
        for part in mix.include:
            words += ["--include-weights", part]
        for part in mix.exclude:
            words += ["--exclude-weights", part]
    cli.main(words, standalone_mode=False)
    return {preset: Path("out") / f"{folder.name.removesuffix('.gguf')}-{preset}.gguf" for preset in presets}


@pytest.mark.parametrize("mix", DEFAULT, ids=lambda mix: mix.name)
def test_files_equal_llama_quantizes(
    mix: Mix, checkpoints: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recorded = expected("mixes.json.xz")[mix.name]
    assert list(recorded) == list(mix.presets)
    for preset, path in quantized(mix, checkpoints(mix.checkpoint), list(mix.presets)).items():
        assert differences(digest(path), recorded[preset]) == [], preset
        path.unlink()


@pytest.mark.full
@pytest.mark.parametrize("mix", WIDE, ids=lambda mix: mix.name)
def test_more_files_equal_llama_quantizes(
    mix: Mix, checkpoints: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = checkpoints(mix.checkpoint)
    for preset, sha256 in expected("mixes-wide.json.xz")[mix.name].items():
        if sha256 is None:
            with pytest.raises((UnsupportedError, ImatrixError)):
                quantized(mix, folder, [preset])
            continue
        (path,) = quantized(mix, folder, [preset]).values()
        assert digest(path)["sha256"] == sha256, preset
        path.unlink()


def test_the_path_is_in_the_file_as_it_was_typed(
    checkpoints: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mix = next(mix for mix in MIXES if mix.name == "older matrix without chunks")
    folder = checkpoints(mix.checkpoint)
    Path("imatrix.bare.dat").write_bytes(matrix_bytes(mix.matrix, entries(folder)))
    words = ["quantize", str(folder), "-o", "out.gguf", "--quiet", "--imatrix", "imatrix.bare.dat"]
    cli.main(words, standalone_mode=False)
    assert digest(Path("out.gguf"))["sha256"] == expected("mixes.json.xz")[mix.name]["Q4_K_M"]["sha256"]


@pytest.mark.parametrize("name", ["experts, older matrix", "rules with importance", "tied ends, both", "output left"])
def test_a_gguf_file_as_source_gives_the_same_files(
    name: str, checkpoints: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mix = next(mix for mix in MIXES if mix.name == name)
    folder = checkpoints(mix.checkpoint)
    (before,) = quantize(folder, ["AUTO"], output=f"{folder.name}.gguf").files
    recorded = expected("mixes.json.xz")[mix.name]
    for preset, path in quantized(mix, before.path, list(mix.presets)).items():
        assert digest(path)["sha256"] == recorded[preset]["sha256"], preset


def test_pruned_layers_keep_their_entries(checkpoints: Any, tmp_path: Path) -> None:
    folder = checkpoints("Tiny-Llama-4M-Chat-v0.2")
    (tmp_path / "imatrix.gguf").write_bytes(matrix_bytes("gguf", entries(folder)))
    output = plan(folder, imatrix=tmp_path / "imatrix.gguf", prune_layers=[0]).outputs[0]
    used = {tensor.name: tensor.entry.name for tensor in output.tensors if tensor.entry}
    assert used["blk.0.attn_q.weight"] == "blk.1.attn_q.weight"
    keys = list(output.metadata)
    assert keys.index("quantize.imatrix.chunks_count") < keys.index("llama.block_count")
