"""`ggufpress reproduce` and `verify --manifest`, after a download and in another folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ggufpress import quantize
from tests.cli.running import Run
from tests.tiny_checkpoints import BARD, copy_bard


@pytest.fixture
def manifest(run: Run) -> Path:
    """A file and its manifest in the current folder."""
    found = quantize(BARD, ["Q4_K_M"], output="a.gguf", manifest=True).files[0].manifest
    assert found
    return found


def test_a_download_is_verified_and_made_again(run: Run, manifest: Path) -> None:
    Path("a.gguf").rename("b.gguf")
    done = run("verify", "b.gguf", "--manifest", manifest)
    assert done.code == 0
    assert "every byte against a.gguf.manifest.json" in done.err
    done = run("reproduce", manifest, "--source", BARD)
    assert done.code == 0
    assert "reproduced: every byte is the same" in done.err
    assert done.out.strip() == json.loads(manifest.read_text())["output"]["sha256"]
    assert {path.name for path in Path().iterdir()} == {"b.gguf", manifest.name}


def test_what_differs_is_told(run: Run, manifest: Path) -> None:
    folder = copy_bard(Path("x"))
    card = folder / "README.md"
    card.write_text(card.read_text().replace("license: ", "license: x-"))
    done = run("reproduce", manifest, "--source", folder)
    assert done.code == 1
    assert "other: a.gguf: the header" in done.out
    assert "note: README.md of the source has another sha256" in done.out
    found = json.loads(run("reproduce", manifest, "--source", folder, "--json").out)
    assert (found["equal"], found["path"]) == (False, None)
    quiet = run("reproduce", manifest, "--source", BARD, "--quiet", "-o", "c.gguf")
    assert (quiet.code, quiet.err) == (0, "")
    assert quiet.out.endswith("  c.gguf\n")
    assert Path("c.gguf").read_bytes() == Path("a.gguf").read_bytes()


def test_what_is_wrong_is_said(run: Run, manifest: Path) -> None:
    assert run("reproduce", manifest).code == 2
    Path("broken.json").write_text("{}")
    assert run("reproduce", "broken.json").code == 3
    assert run("verify", "a.gguf", "--manifest", "none.json").code == 3
