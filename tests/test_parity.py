"""Whole files, byte for byte those of llama.cpp's converter and llama-quantize."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from tests.digests import differences, digest
from tests.tiny_checkpoints import BARD, BY_NAME, DATA, make

CASES = ("bard-4m", *BY_NAME)


@cache
def expected(case: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(lzma.decompress((DATA / "expected" / f"{case}.json.xz").read_bytes()))
    return data


def runs(case: str) -> Iterator[tuple[str, dict[str, str], list[str]]]:
    """Arguments and types of the runs that make all recorded files: one for each layout and via, and one for AUTO."""
    recorded = list(expected(case))
    yield "auto", {"layout": "convert"}, ["AUTO"]
    yield "", {"layout": "convert"}, [key.upper() for key in recorded if "/" not in key and key != "auto"]
    for via in dict.fromkeys(key.split("/")[0] for key in recorded if "/" in key):
        yield (
            f"{via}/",
            {"layout": "quantize", "via": via},
            [key.split("/")[1] for key in recorded if key.startswith(f"{via}/")],
        )


@pytest.fixture(scope="module")
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name: str = request.param
    return BARD if name == "bard-4m" else make(BY_NAME[name], tmp_path_factory.mktemp("source"))


@pytest.mark.parametrize(
    ("checkpoint", "prefix", "arguments", "types"),
    [(case, *run) for case in CASES for run in runs(case)],
    ids=[f"{case}-{prefix or 'convert'}" for case in CASES for prefix, _, _ in runs(case)],
    indirect=["checkpoint"],
)
def test_files_equal_llama_cpps(
    checkpoint: Path, prefix: str, arguments: dict[str, Any], types: list[str], tmp_path: Path
) -> None:
    report = quantize(checkpoint, types, output=tmp_path, threads=2, **arguments)
    assert len(report.files) == len(types)
    for file in report.files:
        key = prefix if prefix == "auto" else f"{prefix}{file.type}" if prefix else file.type.lower()
        reference = expected(checkpoint.name)[key]
        assert differences(digest(file.path), reference) == [], f"{checkpoint.name} {key}"
        assert file.sha256 == reference["sha256"]
        file.path.unlink()
