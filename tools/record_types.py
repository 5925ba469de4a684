"""Record which types llama-quantize gives the tensors of tests/recipe/models.py: tests/data/expected/types.json.xz.

    python tools/record_types.py --quantize "CMD" [--jobs N] [CASE ...]

CMD is a command that takes options, IN.gguf, OUT.gguf and TYPE as llama-quantize does, from the sources of llama.cpp in
the sdist llama-cpp-python 0.3.36 (its x86-64 build). Each case is quantized to every preset, with and without an
importance matrix, and with one to some presets under each set of options. null: llama-quantize refuses.
"""

from __future__ import annotations

import argparse
import json
import lzma
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ggufpress.gguf.reader import read_gguf  # noqa: E402
from ggufpress.recipe.presets import ALL  # noqa: E402
from tests.imatrix.files import entries_for, gguf_bytes  # noqa: E402
from tests.recipe.models import CASES, OPTION_PRESETS, OPTIONS, Case, arguments, file_of  # noqa: E402
from tests.tiny_checkpoints import DATA  # noqa: E402

TARGET = DATA / "expected" / "types.json.xz"
REFUSED = (1, -6)
"""An error, and an assertion that does not hold: of options that a shape does not allow."""


def runs() -> Iterator[tuple[str, str, str]]:
    """Every (options, matrix, preset) of a case."""
    for preset in ALL:
        yield "plain", "no", preset.name
        yield "plain", "imatrix", preset.name
    for options in list(OPTIONS)[1:]:
        for name in OPTION_PRESETS:
            yield options, "imatrix", name
    for name in OPTION_PRESETS:
        yield "rules", "no", name


def record(case: Case, command: list[str]) -> dict[str, list[str] | None]:
    """The types of all outputs of one case, in file order, by options, matrix and preset."""
    found: dict[str, list[str] | None] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        before, after, matrix = work / "in.gguf", work / "out.gguf", work / "imatrix.gguf"
        before.write_bytes(file_of(case))
        matrix.write_bytes(gguf_bytes(entries_for((name, shape) for name, shape, _ in case.tensors)))
        for options, kind, preset in runs():
            given = arguments(OPTIONS[options]) + (["--imatrix", str(matrix)] if kind == "imatrix" else [])
            words = [*command, *given, str(before), str(after), preset]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode not in (0, *REFUSED) or (
                done.returncode == 1 and "failed to quantize" not in done.stderr
            ):
                sys.exit(f"{done.returncode}: {shlex.join(words)}\n{done.stderr[-2000:]}")
            made = done.returncode == 0
            types = [tensor.qtype.name for tensor in read_gguf(after).tensors] if made else None
            found[f"{options}/{kind}/{preset}"] = types
            after.unlink(missing_ok=True)
    print(f"{case.name}: {sum(types is not None for types in found.values())} files of {len(found)} runs", flush=True)
    return found


def main() -> None:
    """Record the named cases, by default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quantize", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    known: dict[str, Any] = (
        json.loads(lzma.decompress(TARGET.read_bytes())) if options.cases and TARGET.exists() else {}
    )
    wanted = [case for case in CASES if not options.cases or case.name in options.cases]
    with ThreadPoolExecutor(options.jobs) as executor:
        found = executor.map(lambda case: record(case, shlex.split(options.quantize)), wanted)
        known |= dict(zip([case.name for case in wanted], found, strict=True))
    kept = {case.name: known[case.name] for case in CASES if case.name in known}
    TARGET.write_bytes(lzma.compress(json.dumps(kept, separators=(",", ":")).encode(), preset=9))
    print(f"{len(kept)} cases, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
