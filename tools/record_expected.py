"""Record what llama.cpp makes of the tiny checkpoints of the tests: tests/data/expected/CASE.json.xz, families/ROOM.json.xz.

    python tools/record_expected.py --llama-cpp TREE --python PY --quantize "CMD" [CASE ...]
    python tools/record_expected.py ... --families [CASE ...]

TREE is the folder vendor/llama.cpp of the sdist llama-cpp-python 0.3.36; PY a Python with torch 2.13.0, transformers
4.57.6, sentencepiece, protobuf and TREE/gguf-py; CMD a command that takes IN.gguf OUT.gguf TYPE as llama-quantize does,
from the same sources (its x86-64 build).
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.digests import (  # noqa: E402
    ALL_PRESETS_OF,
    CONVERTED,
    FAMILY_CONVERTED,
    FAMILY_QUANTIZED,
    MORE_PRESETS,
    QUANTIZED,
    digest,
)
from tests.tiny.families import ROOMS  # noqa: E402
from tests.tiny_checkpoints import BY_NAME, DATA, copy_bard, make  # noqa: E402

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def run(command: list[str], *, may_refuse: bool = False) -> bool:
    """Run the reference; whether it made a file. Q1_0 has no smaller type for rows that do not fit."""
    done = subprocess.run(command, env={**os.environ, **OFFLINE}, capture_output=True, text=True, check=False)
    if done.returncode and not may_refuse:
        sys.exit(f"{shlex.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return not done.returncode


def record(folder: Path, options: argparse.Namespace, work: Path, arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """The digests of all reference files of one checkpoint, which the converter takes with `arguments`."""
    converted, quantized = (FAMILY_CONVERTED, FAMILY_QUANTIZED) if options.families else (CONVERTED, QUANTIZED)
    converter = [options.python, str(options.llama_cpp / "convert_hf_to_gguf.py")]
    found: dict[str, Any] = {}
    for outtype in converted:
        path = work / f"{outtype}.gguf"
        run([*converter, str(folder), "--outtype", outtype, "--outfile", str(path), *arguments])
        found[outtype] = digest(path)
    more = [("auto", preset) for preset in MORE_PRESETS if folder.name in ALL_PRESETS_OF]
    for via, preset in (*quantized, *more):
        path = work / f"{via}.{preset}.gguf"
        if run(
            [*shlex.split(options.quantize), str(work / f"{via}.gguf"), str(path), preset], may_refuse=preset == "Q1_0"
        ):
            found[f"{via}/{preset}"] = digest(path)
    return found


def record_families(options: argparse.Namespace) -> None:
    """Record the named cases of the families, by default all, in one file per room."""
    for room, cases in ROOMS.items():
        target = DATA / "expected" / "families" / f"{room}.json.xz"
        known = json.loads(lzma.decompress(target.read_bytes())) if target.exists() else {}
        for case in cases:
            if options.cases and case.name not in options.cases:
                continue
            with tempfile.TemporaryDirectory() as temporary:
                work = Path(temporary)
                known[case.name] = record(make(case, work / "source"), options, work, case.arguments)
            print(case.name)
        kept = {case.name: known[case.name] for case in cases if case.name in known}
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(lzma.compress(json.dumps(kept, indent=0).encode(), preset=9))


def main() -> None:
    """Record the named cases, by default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--quantize", required=True)
    parser.add_argument("--families", action="store_true", help="the cases of tests/tiny/families.py, by default all")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    if options.families:
        record_families(options)
        return
    for name in options.cases or [*BY_NAME, "bard-4m"]:
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            source = work / "source"
            source.mkdir()
            folder = copy_bard(source) if name == "bard-4m" else make(BY_NAME[name], source)
            found = record(folder, options, work)
        target = DATA / "expected" / f"{name}.json.xz"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(lzma.compress(json.dumps(found, indent=0).encode(), preset=9))
        print(f"{name}: {len(found)} files, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
