"""Every family: whole files, byte for byte those of llama.cpp's converter and llama-quantize."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from tests.digests import FAMILY_CONVERTED, FAMILY_QUANTIZED, differences, digest
from tests.tiny.families import FAMILY_CASES, ROOMS
from tests.tiny_checkpoints import DATA, make


@cache
def expected() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for room in ROOMS:
        found |= json.loads(lzma.decompress((DATA / "expected" / "families" / f"{room}.json.xz").read_bytes()))
    return found


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_files_equal_llama_cpps(name: str, tmp_path: Path) -> None:
    checkpoint = make(FAMILY_CASES[name], tmp_path / "source")
    runs = [
        ("convert", [x.upper() for x in FAMILY_CONVERTED]),
        ("quantize", [preset for _, preset in FAMILY_QUANTIZED]),
    ]
    for layout, types in runs:
        report = quantize(checkpoint, output=tmp_path / layout, types=types, layout=layout, threads=1)
        for key, file in zip(types, report.files, strict=True):
            reference = expected()[name][key.lower() if layout == "convert" else f"auto/{key}"]
            assert differences(digest(file.path), reference) == [], f"{name} {layout} {key}"
            assert file.sha256 == reference["sha256"]
