"""One side of a comparison: a GGUF file, whole or in shards, or the checkpoint that files are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ggufpress.gguf.shards import GgufSet
from ggufpress.gguf.values import Metadata, ValueType
from ggufpress.inspection import ShownKey, shown_keys
from ggufpress.mapping import Derived
from ggufpress.planning.gguf_model import gguf_tensors
from ggufpress.planning.model import read_model
from ggufpress.quant.types import QType
from ggufpress.source.checkpoint import Checkpoint

OF_AN_OUTPUT = ("general.file_type", "general.quantization_version")
"""Keys that a checkpoint does not decide: they say what was made of it."""
IMATRIX = "quantize.imatrix."


@dataclass(frozen=True)
class Side:
    """A model as it is stored. `file` is None for a checkpoint, whose keys and tensors are those of the GGUF model."""

    path: Path
    metadata: Metadata
    tensors: tuple[Derived, ...]
    file: GgufSet | None

    @property
    def name(self) -> str:
        """What to call it."""
        return self.path.name

    @property
    def is_checkpoint(self) -> bool:
        """Whether weights are those of a checkpoint, after the ops that GGUF asks for."""
        return self.file is None

    @cached_property
    def by_name(self) -> dict[str, Derived]:
        """The tensors by their names in the GGUF file."""
        return {tensor.name: tensor for tensor in self.tensors}

    @property
    def data_bytes(self) -> int:
        """Bytes of the tensors, without padding."""
        return sum(tensor_bytes(tensor) for tensor in self.tensors)

    @property
    def arch(self) -> str:
        """llama.cpp's name of the architecture, empty where it is not said."""
        value = self.metadata.get("general.architecture")
        return value.data if value and value.type is ValueType.STRING and isinstance(value.data, str) else ""

    @property
    def n_shards(self) -> int:
        """Number of GGUF files, 0 for a checkpoint."""
        return len(self.file.files) if self.file else 0

    @cached_property
    def imatrix(self) -> tuple[ShownKey, ...]:
        """What the file says of the importance matrix it was made with."""
        return shown_keys({key: value for key, value in self.metadata.items() if key.startswith(IMATRIX)})


def side(source: Checkpoint | GgufSet) -> Side:
    """The side that `source` is. Raises the errors of reading it."""
    if isinstance(source, GgufSet):
        return Side(source.path, source.metadata, gguf_tensors(source), source)
    model = read_model(source)
    return Side(source.root, model.metadata, model.tensors, None)


def tensor_bytes(tensor: Derived) -> int:
    """Bytes of a tensor in the type that it is stored in."""
    qtype: QType = tensor.dtype
    return tensor.n_params // qtype.block * qtype.block_bytes
