"""Record what gguf-split makes of the files in tests/shards/cases.py: tests/data/expected/shards.json.

    GGUF_SPLIT=/path/to/gguf-split python tools/record_shards.py

gguf-split is the one of llama.cpp in the PyPI sdist llama-cpp-python 0.3.36 (vendor/llama.cpp, tools/gguf-split).
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from ggufpress.errors import GgufError  # noqa: E402
from ggufpress.gguf.reader import read_gguf  # noqa: E402
from tests.shards.cases import CASES, SplitCase  # noqa: E402

EXPECTED = ROOT / "tests/data/expected/shards.json"


def sha256(path: Path) -> str:
    """The digest of a whole file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record(case: SplitCase, program: str, folder: Path) -> dict[str, object]:
    """The digests of the shards by name, and of what gguf-split merges them to (None: a file that nobody can read)."""
    source = case.make(folder)
    subprocess.run([program, "--split", *case.options, source, folder / "s"], capture_output=True, check=True)
    shards = sorted(folder.glob("s-*.gguf"))
    merged = folder / "merged.gguf"
    done = subprocess.run([program, "--merge", shards[0], merged], capture_output=True, check=False)
    return {
        "source": sha256(source),
        "shards": {path.name: sha256(path) for path in shards},
        "merged": sha256(merged) if done.returncode == 0 and readable(merged) else None,
    }


def readable(path: Path) -> bool:
    """Whether the file is what its header says. gguf-split itself says nothing of it."""
    try:
        return bool(read_gguf(path).path)
    except GgufError:
        return False


def main() -> None:
    """Record all cases."""
    found = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found[case.name] = record(case, os.environ["GGUF_SPLIT"], Path(folder))
    EXPECTED.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{EXPECTED}: {len(found)} cases, {sum(len(case['shards']) for case in found.values())} shards")  # type: ignore[arg-type, misc]


if __name__ == "__main__":
    main()
