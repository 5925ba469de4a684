"""Record what llama-quantize makes of tests/recipe/mixes.py: tests/data/expected/mixes.json.xz and mixes-wide.json.xz.

    python tools/record_mixes.py --llama-cpp TREE --python PY --quantize "CMD" [MIX ...]

TREE, PY and CMD as in tools/record_expected.py; CMD also takes llama-quantize's options. It never filters entries itself:
where a mix includes or excludes some, it is given a matrix that has the rest. null: llama-quantize refuses.
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

from tests.digests import digest  # noqa: E402
from tests.recipe.mixes import MIXES, Mix, entries, matrix_bytes, matrix_name, source  # noqa: E402
from tests.tiny_checkpoints import DATA  # noqa: E402
from tools.record_expected import OFFLINE, run  # noqa: E402

REFUSALS = ("no tensor type fallback", "this quantization requires an imatrix")


def record(mix: Mix, folder: Path, before: Path, command: list[str], work: Path) -> dict[str, Any]:
    """The digests of one mix, by preset; of a wide one the sha256 alone. `before` is the converter's file of `folder`."""
    given = list(mix.options)
    if mix.matrix:
        name = matrix_name(mix.matrix)
        (work / name).write_bytes(matrix_bytes(mix.matrix, entries(folder), mix.include, mix.exclude))
        given += ["--imatrix", name]
    found: dict[str, Any] = {}
    for preset in mix.presets:
        after = work / "out.gguf"
        words = [*command, *given, str(before), str(after), preset]
        done = subprocess.run(
            words, cwd=work, env={**os.environ, **OFFLINE}, capture_output=True, text=True, check=False
        )
        if done.returncode and not any(reason in done.stderr for reason in REFUSALS):
            sys.exit(f"{shlex.join(words)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        made = None if done.returncode else digest(after)
        found[preset] = made and (made["sha256"] if mix.wide else made)
        after.unlink(missing_ok=True)
    print(f"{mix.name}: {sum(made is not None for made in found.values())} files", flush=True)
    return found


def main() -> None:
    """Record the named mixes, by default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-cpp", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--quantize", required=True)
    parser.add_argument("mixes", nargs="*")
    options = parser.parse_args()
    converter = [options.python, str(options.llama_cpp / "convert_hf_to_gguf.py")]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folders: dict[str, tuple[Path, Path]] = {}
        for wide, file in ((False, "mixes.json.xz"), (True, "mixes-wide.json.xz")):
            target = DATA / "expected" / file
            known = json.loads(lzma.decompress(target.read_bytes())) if options.mixes and target.exists() else {}
            for mix in MIXES:
                if mix.wide != wide or (options.mixes and mix.name not in options.mixes):
                    continue
                if mix.checkpoint not in folders:
                    folder, before = source(mix.checkpoint, work), work / f"{mix.checkpoint}.gguf"
                    run([*converter, str(folder), "--outtype", "auto", "--outfile", str(before)])
                    folders[mix.checkpoint] = folder, before
                known[mix.name] = record(mix, *folders[mix.checkpoint], shlex.split(options.quantize), work)
                kept = {mix.name: known[mix.name] for mix in MIXES if mix.name in known and mix.wide == wide}
                target.write_bytes(lzma.compress(json.dumps(kept, separators=(",", ":")).encode(), preset=9))
            print(f"{file}: {len(known)} mixes, {target.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
