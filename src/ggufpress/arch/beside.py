"""Tensors in files of their own beside the model: the dense layer behind a sentence-transformers model."""

from __future__ import annotations

from ggufpress.arch.spec import Arch, Beside
from ggufpress.errors import MappingError
from ggufpress.gguf.values import Value, u32
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from ggufpress.source.safetensors import read_header


def tensors_beside(checkpoint: Checkpoint, arch: Arch) -> list[tuple[Beside, TensorRef]]:
    """Those of `arch.beside` whose files are there. Raises MappingError where such a file lacks its matrix."""
    found = []
    for beside in arch.beside:
        if not checkpoint.has(beside.file):
            continue
        path = checkpoint.root / beside.file
        ref = next((ref for ref in read_header(checkpoint.small.path(beside.file)) if ref.name == beside.source), None)
        if ref is None or len(ref.shape) != 2:
            raise MappingError(f"{path} has no matrix {beside.source}: {beside.target} is made from it")
        found.append((beside, ref))
    return found


def beside_metadata(checkpoint: Checkpoint, arch: Arch) -> tuple[tuple[str, Value], ...]:
    """The keys that hold their numbers of rows."""
    return tuple((beside.rows_key, u32(ref.shape[0])) for beside, ref in tensors_beside(checkpoint, arch))
