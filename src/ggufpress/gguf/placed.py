"""A GGUF file before it is written: its finished header, and where each tensor goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ggufpress.gguf.header import ALIGNMENT, TensorInfo, encode_header, padded
from ggufpress.gguf.values import Metadata
from ggufpress.quant.types import QType


class PlacedTensor(Protocol):
    """A tensor and where it goes. `offset` counts bytes from the start of the data section."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        ...

    @property
    def qtype(self) -> QType:
        """Its type."""
        ...

    @property
    def offset(self) -> int:
        """Where its data starts."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of its data, without padding."""
        ...


Tensor_co = TypeVar("Tensor_co", bound=PlacedTensor, covariant=True)


@dataclass(frozen=True)
class PlacedFile(Generic[Tensor_co]):
    """One file to be written. `header` holds all bytes before the data section, `tensors` are in file order."""

    path: Path
    header: bytes
    tensors: tuple[Tensor_co, ...]
    alignment: int = ALIGNMENT

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        last = self.tensors[-1] if self.tensors else None
        return len(self.header) + (padded(last.offset + last.nbytes, self.alignment) if last else 0)


def placed_file(
    path: Path, metadata: Metadata, tensors: Sequence[Tensor_co], alignment: int = ALIGNMENT
) -> PlacedFile[Tensor_co]:
    """The file with these keys and tensors, whose offsets are set already. Raises GgufError as `encode_header` does."""
    infos = [TensorInfo(tensor.name, tensor.shape, tensor.qtype, tensor.offset) for tensor in tensors]
    return PlacedFile(path, encode_header(metadata, infos, alignment), tuple(tensors), alignment)
