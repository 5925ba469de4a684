"""Record which types llama-quantize chooses for every preset: tests/data/expected/types.json.xz.

    python tools/record_types.py FOLDER

FOLDER holds what llama.cpp made of tiny checkpoints: CASE.auto.gguf from the converter (`--outtype auto`), and from
llama-quantize CASE.plain.PRESET.gguf and, with an importance matrix, CASE.imatrix.PRESET.gguf.
"""

from __future__ import annotations

import json
import lzma
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ggufpress.gguf.reader import GgufFile, read_gguf  # noqa: E402
from ggufpress.planning.facts import facts_of  # noqa: E402
from tests.tiny_checkpoints import DATA  # noqa: E402


def recorded(folder: Path, before: Path) -> dict[str, Any]:
    """The input of one case and the types of all its outputs, in file order."""
    source: GgufFile = read_gguf(before)
    case = before.name.removesuffix(".auto.gguf")
    chosen = {}
    for kind in ("plain", "imatrix"):
        for path in sorted(folder.glob(f"{case}.{kind}.*.gguf")):
            chosen[f"{kind}/{path.name.split('.')[-2]}"] = [tensor.qtype.name for tensor in read_gguf(path).tensors]
    return {
        "model": asdict(facts_of(source.metadata, [tensor.name for tensor in source.tensors])),
        "tensors": [[tensor.name, list(tensor.shape), tensor.qtype.name] for tensor in source.tensors],
        "chosen": chosen,
    }


def main() -> None:
    """Record all cases in the folder that the command line names."""
    folder = Path(sys.argv[1])
    found = {
        path.name.removesuffix(".auto.gguf"): recorded(folder, path) for path in sorted(folder.glob("*.auto.gguf"))
    }
    target = DATA / "expected" / "types.json.xz"
    target.write_bytes(lzma.compress(json.dumps(found).encode(), preset=9))
    print(
        f"{len(found)} cases, {sum(len(case['chosen']) for case in found.values())} files, {target.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
