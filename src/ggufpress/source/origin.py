"""Where a checkpoint's folder came from: the repository and revision on the Hub, where the download left word of them.

Source: huggingface_hub 1.x, file_download.py and _local_folder.py: a cache holds `models--OWNER--NAME/snapshots/COMMIT`,
a download to a folder leaves `.cache/huggingface/download/FILE.metadata`, whose first line is the commit.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPO = re.compile(r"models--(.+?)--(.+)")
MAX_FILES = 10_000
MAX_LINE = 64


def origin(root: Path) -> dict[str, str]:
    """Repository (OWNER/NAME) and commit of the folder `root`, as far as its path in a cache or a download in it says."""
    parents = root.absolute().parts
    if len(parents) >= 3 and parents[-2] == "snapshots" and _COMMIT.fullmatch(parents[-1]):
        found = _REPO.fullmatch(parents[-3])
        return ({"repository": f"{found[1]}/{found[2]}"} if found else {}) | {"commit": parents[-1]}
    commits = set(_commits(root / ".cache" / "huggingface" / "download"))
    # files of several commits are of none
    return {"commit": commits.pop()} if len(commits) == 1 else {}


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
