"""Writes ggml's blocks of the types whose grids take ggml many seconds to prepare: tests/data/weights/grid-blocks.npz.

    python -m tests.native.write_grid_blocks

Made with the shared library of the PyPI wheel xllamacpp, like everything that the other tests compare with.
"""

from __future__ import annotations

import numpy as np

from tests.native import ggml_oracle, inputs
from tests.native.cases import CASES, NEEDS_IMPORTANCE, STORED, STORED_BLOCKS, STORED_SHAPE


def main() -> None:
    blocks = {}
    for qtype, family in CASES:
        for kind in (None, *inputs.IMPORTANCES):
            if qtype not in STORED or (kind is None and qtype in NEEDS_IMPORTANCE):
                continue
            importance = None if kind is None else inputs.importance(kind, STORED_SHAPE[1])
            x = inputs.weights(family, *STORED_SHAPE)
            blocks[f"{qtype} {family} {kind}"] = ggml_oracle.quantize(x, qtype, importance)
    np.savez_compressed(STORED_BLOCKS, **{name: blocks[name] for name in sorted(blocks)})  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
