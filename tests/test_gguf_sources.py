"""Whole files made from GGUF files, byte for byte those of llama-quantize from the same."""

from __future__ import annotations

import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from ggufpress import plan, quantize, verify
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.shards.copying import copy
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import plan_split
from tests.gguf_cases import CASES, GgufCase
from tests.tiny.families import ROOMS
from tests.tiny_checkpoints import BY_NAME, DATA, make

EXPECTED = json.loads((DATA / "expected/gguf_sources.json").read_text())


def arguments(options: tuple[str, ...]) -> dict[str, Any]:
    """The words of llama-quantize as arguments of the API."""
    found: dict[str, Any] = {"override_kv": []}
    words = iter(options)
    for word in words:
        name = word.removeprefix("--").replace("-", "_")
        if name == "override_kv":
            found[name].append(next(words))
        else:
            found[name] = next(words) if name == "prune_layers" else True
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.checkpoint}-{case.name}")
def test_files_equal_llama_quantizes(case: GgufCase, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    for preset in case.presets:
        report = quantize(source, [preset], output=tmp_path / preset / "o.gguf", threads=2, **arguments(case.options))
        expected = EXPECTED[f"{case.checkpoint} {case.name}"][preset]
        assert {file.path.name: file.sha256 for file in report.files} == expected, preset
        planned = plan(source, [preset], output=tmp_path / preset / "o.gguf", **arguments(case.options))
        assert [file.nbytes for file in report.files] == [file.file_bytes for file in planned.outputs[0].files]


@pytest.mark.parametrize("checkpoint", ["mixtral-8", "odd-96-wide", "tied-linear-rope", "deep-gqa", "yarn"])
def test_all_presets_from_the_converters_file_equal_llama_quantizes(checkpoint: str, tmp_path: Path) -> None:
    recorded = json.loads(lzma.decompress((DATA / f"expected/{checkpoint}.json.xz").read_bytes()))
    folder = make(BY_NAME[checkpoint], tmp_path)
    for via in dict.fromkeys(key.split("/")[0] for key in recorded if "/" in key):
        source = quantize(folder, [via], layout="convert", output=tmp_path / f"{via}.gguf").files[0]
        assert source.sha256 == recorded[via]["sha256"]
        types = [key.split("/")[1] for key in recorded if key.startswith(f"{via}/")]
        report = quantize(source.path, types, output=tmp_path / via, threads=2)
        assert {file.type: file.sha256 for file in report.files} == {
            preset: recorded[f"{via}/{preset}"]["sha256"] for preset in types
        }


@pytest.mark.parametrize("layout", ["convert", "quantize"])
@pytest.mark.parametrize("limits", [{"split_max_tensors": 4}, {"split_max_size": "1M"}, {"split_max_size": 600_000}])
def test_shards_of_a_checkpoint_are_those_of_the_whole_file(
    layout: str, limits: dict[str, Any], tmp_path: Path
) -> None:
    folder = make(BY_NAME["mixtral-8"], tmp_path)
    whole = quantize(folder, ["Q8_0"], layout=layout, output=tmp_path / "whole.gguf").files[0]
    shards = quantize(folder, ["Q8_0"], layout=layout, output=tmp_path / "o.gguf", manifest=True, **limits).files
    wanted = split_limits(limits.get("split_max_size"), limits.get("split_max_tensors"))
    expected = copy(plan_split(read_gguf_set(whole.path), tmp_path / "e", wanted)).files
    assert [file.sha256 for file in shards] == [file.sha256 for file in expected]
    assert verify(shards[-1].path, against=folder).ok
    manifest = json.loads((tmp_path / "o.gguf.manifest.json").read_text())
    assert [file["sha256"] for file in manifest["output"]["files"]] == [file.sha256 for file in shards]


def test_several_types_in_shards_come_from_one_read(tmp_path: Path) -> None:
    folder = make(BY_NAME["mixtral-4"], tmp_path)
    together = quantize(folder, ["Q8_0", "Q4_K_M"], output=tmp_path / "a", split_max_tensors=5)
    for preset in ("Q8_0", "Q4_K_M"):
        alone = quantize(folder, [preset], output=tmp_path / preset, split_max_tensors=5).files
        assert [file.sha256 for file in together.files if file.type == preset] == [file.sha256 for file in alone]
        assert all(hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256 for file in alone)


@pytest.mark.parametrize("preset", ["COPY", "Q8_0"])
def test_a_checkpoint_is_changed_as_its_converted_file_is(preset: str, tmp_path: Path) -> None:
    folder = make(BY_NAME["deep-gqa"], tmp_path)
    converted = quantize(folder, ["AUTO"], output=tmp_path / "c.gguf").files[0].path
    changes: dict[str, Any] = {"prune_layers": [1, 3], "override_kv": ["general.name=str:short", "a.b=bool:false"]}
    direct = quantize(folder, [preset], output=tmp_path / "direct.gguf", **changes).files[0]
    twice = quantize(converted, [preset], output=tmp_path / "twice.gguf", **changes).files[0]
    assert direct.sha256 == twice.sha256


@pytest.mark.parametrize("name", ["gptneox", "mpt"])
def test_copy_says_the_type_that_the_converter_left_out(name: str, tmp_path: Path) -> None:
    case = next(case for case in ROOMS["more_dense"] if case.name == name)
    folder = make(case, tmp_path)
    converted = quantize(folder, ["AUTO"], output=tmp_path / "c.gguf").files[0].path
    assert "general.file_type" not in read_gguf_set(converted).metadata
    direct = quantize(folder, ["COPY"], output=tmp_path / "direct.gguf").files[0]
    twice = quantize(converted, ["COPY"], output=tmp_path / "twice.gguf").files[0]
    assert direct.sha256 == twice.sha256
    # a guess is marked with 1024
    assert int(read_gguf_set(direct.path).metadata["general.file_type"].data) >= 1024  # type: ignore[arg-type]
