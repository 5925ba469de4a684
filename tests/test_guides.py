"""The guides quote what is in the repository."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "guides" / "add-an-architecture.md"
FAMILY = ROOT / "src" / "ggufpress" / "arch" / "families" / "maincoder.py"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_added_architecture_is_the_real_file_and_under_40_lines() -> None:
    assert blocks()[0] == FAMILY.read_text()
    assert len(FAMILY.read_text().splitlines()) < 40


def test_the_tiny_case_is_the_real_one() -> None:
    cases = (ROOT / "tests" / "tiny" / "uncommon.py").read_text()
    for line in blocks()[1].splitlines():
        assert line in cases


def test_files_that_the_guide_names_exist() -> None:
    ours = re.findall(r"`((?:src|tests|tools)/[\w/.]+)`", GUIDE.read_text())
    assert len(ours) >= 4
    assert all((ROOT / name).exists() for name in ours), ours
