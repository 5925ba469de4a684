"""Record the blocks that a llama.cpp built with fused multiply-add makes otherwise, for tests/auditing.

    python tools/record_fma.py libfma.so

The library is the block code of TREE alone, built as llama.cpp is with GGML_NATIVE on a CPU that has FMA (x86-64, gcc 12.2):

    for f in ggml-quants.c ggml.c ggml-threading.cpp; do
        gcc -O3 -DNDEBUG -fPIC -march=haswell -Iinc -ITREE/ggml/include -ITREE/ggml/src -c TREE/ggml/src/$f; done
    g++ -shared -Wl,-z,lazy -o libfma.so ggml-quants.o ggml.o ggml-threading.o

with an inc/ggml-version.h that defines GGML_VERSION and GGML_COMMIT.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ggufpress import quantize
from ggufpress.gguf.reader import read_gguf
from ggufpress.imatrix.matrix import ImportanceData
from ggufpress.imatrix.read import read_imatrix
from ggufpress.quant.types import BY_NAME, QType
from tests.auditing.fma import FMA, TENSORS, TYPES, ours
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD


def main() -> None:
    """Write tests/data/weights/fma-blocks.npz."""
    library = ctypes.CDLL(sys.argv[1], mode=1)
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.ggml_quantize_chunk.argtypes = (ctypes.c_int, pointer, pointer, number, number, number, pointer)
    found: dict[str, NDArray[np.generic]] = {}
    with TemporaryDirectory() as folder:
        source = quantize(BARD, ["F32"], output=folder).files[0].path
        data = source.read_bytes()
        tensors = {tensor.name: tensor for tensor in read_gguf(source).tensors}
        path = Path(folder) / "imatrix.gguf"
        path.write_bytes(matrix_bytes("gguf", entries(BARD)))
        matrix = read_imatrix(path)
        with ImportanceData(matrix) as importance:
            for name in TENSORS:
                tensor = tensors[name]
                weights = np.frombuffer(data, "<f4", tensor.n_params, tensor.offset).reshape(tensor.shape).copy()
                for type_name in TYPES:
                    for kind, columns in (("", None), ("imatrix", importance.weights(matrix.entries[name]))):
                        qtype = BY_NAME[type_name]
                        theirs = fused(library, weights, qtype, columns)
                        mine = ours(weights, qtype, columns)
                        which = np.flatnonzero((theirs != mine).any(axis=1)).astype(np.uint16)
                        found[f"{type_name}/{name}/{kind}/at"], found[f"{type_name}/{name}/{kind}"] = (
                            which,
                            theirs[which],
                        )
                        print(type_name, name, kind, f"{len(which)} of {len(theirs)}")
    np.savez_compressed(FMA, **found)  # type: ignore[arg-type]


def fused(
    library: ctypes.CDLL, weights: NDArray[np.float32], qtype: QType, columns: NDArray[np.float32] | None
) -> NDArray[np.uint8]:
    """The blocks that the library makes."""
    rows, cols = weights.shape
    out = np.empty((rows, qtype.row_bytes(cols)), np.uint8)
    given = None if columns is None else columns.ctypes.data
    library.ggml_quantize_chunk(qtype.id, weights.ctypes.data, out.ctypes.data, 0, rows, cols, given)
    return out.reshape(-1, qtype.block_bytes)


if __name__ == "__main__":
    main()
