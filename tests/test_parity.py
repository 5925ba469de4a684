"""Whole files, byte for byte those of llama.cpp's converter and llama-quantize."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from tests.digests import CONVERTED, QUANTIZED, differences, digest
from tests.tiny_checkpoints import BARD, BY_NAME, DATA, make

# all vias of one checkpoint share one read; a run has one via and one layout
RUNS: dict[str, dict[str, Any]] = {
    "convert": {"types": [name.upper() for name in CONVERTED if name != "auto"], "layout": "convert"},
    "auto": {"types": ["AUTO"], "layout": "convert"},
    **{
        f"quantize-{via}": {"types": [p for v, p in QUANTIZED if v == via], "layout": "quantize", "via": via}
        for via in dict(QUANTIZED)
    },
}


@cache
def expected(case: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(lzma.decompress((DATA / "expected" / f"{case}.json.xz").read_bytes()))
    return data


@pytest.fixture(scope="module")
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name: str = request.param
    return BARD if name == "bard-4m" else make(BY_NAME[name], tmp_path_factory.mktemp("source"))


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("checkpoint", ["bard-4m", *BY_NAME], indirect=True)
def test_files_equal_llama_cpps(checkpoint: Path, run: str, tmp_path: Path) -> None:
    report = quantize(checkpoint, output=tmp_path, threads=2, **RUNS[run])
    for file in report.files:
        via = run.removeprefix("quantize-")
        key = f"{via}/{file.type}" if run.startswith("quantize-") else run if run == "auto" else file.type.lower()
        reference = expected(checkpoint.name)[key]
        assert differences(digest(file.path), reference) == [], f"{checkpoint.name} {key}"
        assert file.sha256 == reference["sha256"]
        file.path.unlink()
