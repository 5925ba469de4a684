from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.source.origin import Origin, origin

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40


def test_a_folder_in_the_cache(tmp_path: Path) -> None:
    folder = tmp_path / "models--acme--Base-Model-1B" / "snapshots" / COMMIT
    assert origin(folder) == Origin("acme/Base-Model-1B", COMMIT)
    assert origin(tmp_path / "x" / "snapshots" / COMMIT) == Origin(None, COMMIT)
    assert origin(tmp_path / "snapshots" / "main") == Origin()


@pytest.mark.parametrize(
    ("lines", "revision"),
    [([COMMIT, COMMIT], COMMIT), ([COMMIT, OTHER], None), (["main"], None), ([COMMIT, "é"], None), ([], None)],
)
def test_a_folder_that_was_downloaded(tmp_path: Path, lines: list[str], revision: str | None) -> None:
    notes = tmp_path / ".cache" / "huggingface" / "download"
    notes.mkdir(parents=True)
    for number, line in enumerate(lines):
        (notes / f"{number}.json.metadata").write_text(f"{line}\netag\n1.0\n")
    assert origin(tmp_path) == Origin(None, revision)
