"""Where a checkpoint's folder came from: the repository and revision on the Hub, where the download left word of them.

Source: huggingface_hub 1.x, file_download.py and _local_folder.py: a cache holds `models--OWNER--NAME/snapshots/COMMIT`,
a download to a folder leaves `.cache/huggingface/download/FILE.metadata`, whose first line is the commit.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO = re.compile(r"models--(.+?)--(.+)")
MAX_FILES = 10_000
MAX_LINE = 64


@dataclass(frozen=True, slots=True)
class Origin:
    """The repository (OWNER/NAME) and the commit, each None where it is not known."""

    repo: str | None = None
    revision: str | None = None


def origin(root: Path) -> Origin:
    """The origin of the folder `root`, from its path in a cache or from what a download wrote into it."""
    parents = root.absolute().parts
    if len(parents) >= 3 and parents[-2] == "snapshots" and _COMMIT.fullmatch(parents[-1]):
        found = _REPO.fullmatch(parents[-3])
        return Origin(f"{found[1]}/{found[2]}" if found else None, parents[-1])
    commits = set(_commits(root / ".cache" / "huggingface" / "download"))
    # files of several commits are of none
    return Origin(None, commits.pop() if len(commits) == 1 else None)


def _commits(folder: Path) -> list[str]:
    found: list[str] = []
    with suppress(OSError, UnicodeDecodeError):
        for number, path in enumerate(folder.glob("*.metadata")):
            if number >= MAX_FILES or not path.is_file():
                return []
            with path.open(encoding="ascii") as stream:
                line = stream.readline(MAX_LINE).strip()
            found.append(line if _COMMIT.fullmatch(line) else "")
    return [] if "" in found else found
