"""Files of one checkpoint, and changed copies of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ggufpress.gguf.header import TensorInfo, data_offsets, encode_header
from ggufpress.gguf.reader import GgufTensor, read_gguf
from ggufpress.gguf.values import Metadata

Change = Callable[[str, bytearray], None]


def rewritten(
    path: Path,
    to: Path,
    *,
    keys: Metadata | None = None,
    without: tuple[str, ...] = (),
    order: Callable[[list[GgufTensor]], list[GgufTensor]] = list,
    change: Change = lambda name, data: None,
) -> Path:
    """A copy of a file with these keys set, these left out, its tensors in another order or with other bytes."""
    file = read_gguf(path)
    data = path.read_bytes()
    metadata = {k: v for k, v in file.metadata.items() if k not in without} | (keys or {})
    tensors = order(list(file.tensors))
    offsets = data_offsets(tensor.nbytes for tensor in tensors)
    header = encode_header(
        metadata, [TensorInfo(t.name, t.shape, t.qtype, o) for t, o in zip(tensors, offsets, strict=True)]
    )
    with to.open("wb") as stream:
        stream.write(header)
        for tensor, offset in zip(tensors, offsets, strict=True):
            own = bytearray(data[tensor.offset : tensor.offset + tensor.nbytes])
            change(tensor.name, own)
            stream.seek(len(header) + offset)
            stream.write(own + bytes(-len(own) % 32))
    return to
