"""Record what llama-quantize makes of the GGUF sources in tests/gguf_cases.py: tests/data/expected/gguf_sources.json.

    LLAMA_QUANTIZE="CMD" python tools/record_gguf_sources.py

CMD takes [OPTIONS] IN OUT TYPE as llama-quantize does, and is made of llama.cpp in the PyPI sdist llama-cpp-python 0.3.36
(its x86-64 build).
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.gguf_cases import CASES, GgufCase  # noqa: E402

EXPECTED = ROOT / "tests/data/expected/gguf_sources.json"


def record(case: GgufCase, command: list[str], folder: Path) -> dict[str, dict[str, str]]:
    """For each preset the digests of the files by name."""
    source = case.make(folder)
    found = {}
    for preset in case.presets:
        out = folder / preset
        out.mkdir()
        subprocess.run(
            [*command, *case.options, str(source), str(out / "o.gguf"), preset], capture_output=True, check=True
        )
        found[preset] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.iterdir())}
    return found


def main() -> None:
    """Record all cases."""
    found = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            found[f"{case.checkpoint} {case.name}"] = record(
                case, shlex.split(os.environ["LLAMA_QUANTIZE"]), Path(folder)
            )
    EXPECTED.write_text(json.dumps(found, indent=1) + "\n")
    files = sum(len(files) for case in found.values() for files in case.values())
    print(f"{EXPECTED}: {len(found)} cases, {files} files")


if __name__ == "__main__":
    main()
