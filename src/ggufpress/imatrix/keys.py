"""The keys with which llama-quantize says what importance matrix a file was made with.

Source: llama.cpp of llama-cpp-python 0.3.36, tools/quantize/quantize.cpp, src/llama-quant.cpp (`kv_overrides`).
"""

from __future__ import annotations

from ggufpress.gguf.values import Metadata, text, u32
from ggufpress.imatrix.matrix import ImportanceMatrix

MAX_STRING = 127
"""Bytes of a string that fit into llama-quantize's buffer, without the zero at its end."""


def imatrix_keys(matrix: ImportanceMatrix, name: str | None = None) -> Metadata:
    """The keys quantize.imatrix.* of a file that is made with `matrix`; `name` stands for its path, if given.

    A string longer than 127 bytes is cut there, even within a character.
    """
    keys: Metadata = {"quantize.imatrix.file": text(_cut(str(matrix.path) if name is None else name))}
    if matrix.datasets:
        keys["quantize.imatrix.dataset"] = text(_cut(matrix.datasets[0]))
    keys["quantize.imatrix.entries_count"] = u32(len(matrix.entries))
    if matrix.chunk_count > 0:
        keys["quantize.imatrix.chunks_count"] = u32(matrix.chunk_count)
    return keys


def _cut(data: str | bytes) -> bytes:
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    return raw.split(b"\0", 1)[0][:MAX_STRING]
