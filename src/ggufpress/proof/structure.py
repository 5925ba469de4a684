"""Is a GGUF file that parses also whole: its length, the zeros between its tensors, the key that all programs need?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ggufpress.gguf.reader import GgufData, GgufFile
from ggufpress.gguf.shards import shard_keys
from ggufpress.gguf.values import ValueType

ARCHITECTURE = "general.architecture"
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `name` is the tensor or key it is about, empty where it is the file."""

    name: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"name": self.name, "message": self.message}

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.name else self.message


def check_structure(file: GgufFile) -> tuple[Fault, ...]:
    """The faults of `file` beyond what `read_gguf` refuses, in file order. Reads the padding, no weights.

    Raises GgufError where the file cannot be read or has changed.
    """
    return (*_architecture(file), *_padding(file), *_length(file))


def _architecture(file: GgufFile) -> list[Fault]:
    value = file.metadata.get(ARCHITECTURE)
    if value is None:
        shard = shard_keys(file)
        if shard and shard.number > 0:
            # the keys of a model stand in its first shard
            return []
        return [Fault(ARCHITECTURE, "the key is missing: no program knows which model this is")]
    if value.type is not ValueType.STRING or not value.data:
        return [Fault(ARCHITECTURE, f"the key is not a name, but {value.type.name} {value.data!r}"[:200])]
    return []


def _padding(file: GgufFile) -> list[Fault]:
    """Bytes that belong to no tensor and are not zero: no reader looks at them, so they hide something or were torn."""
    starts = [*(tensor.offset for tensor in file.tensors), min(file.full_size, file.file_size)]
    ends = [file.header_end, *(tensor.offset + tensor.nbytes for tensor in file.tensors)]
    before = ["the header", *(f"tensor {tensor.name}" for tensor in file.tensors)]
    with GgufData(file) as data:
        return [
            Fault("", f"the padding after {name}, {start - end} bytes from byte {end} on, is not all zero")
            for name, end, start in zip(before, ends, starts, strict=True)
            if not _is_zero(data, end, start)
        ]


def _is_zero(data: GgufData, start: int, end: int) -> bool:
    # in steps, because a file may state an alignment of a gigabyte
    return all(not data.read_at(at, min(CHUNK, end - at), "padding").strip(b"\0") for at in range(start, end, CHUNK))


def _length(file: GgufFile) -> list[Fault]:
    extra = file.trailing_bytes
    if extra > 0:
        return [Fault("", f"{extra:,} bytes follow the last tensor and its padding")]
    if extra < 0:
        return [Fault("", f"the file ends {-extra} bytes early, within the padding of the last tensor")]
    return []
