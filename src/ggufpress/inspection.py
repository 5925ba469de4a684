"""What a GGUF file holds, ready to be shown: keys with long values shortened, tensors, types and sizes."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from ggufpress.errors import GgufError
from ggufpress.gguf.reader import GgufFile, GgufTensor, read_gguf
from ggufpress.gguf.shards import ShardKeys, shard_keys
from ggufpress.gguf.values import Metadata, Scalar, Value
from ggufpress.quant.types import QTYPES, QType

MAX_ITEMS = 8
MAX_CHARS = 160


@dataclass(frozen=True, slots=True)
class ShownKey:
    """One key. `value` holds at most the first `MAX_ITEMS` items and, of a text, `MAX_CHARS` characters.

    `length` is how many items or characters there are, None for a number.
    """

    key: str
    type: str
    value: Scalar | tuple[Scalar, ...]
    length: int | None

    @property
    def text(self) -> str:
        """The value for a terminal: one line without control characters, with an ellipsis where it was shortened."""
        if isinstance(self.value, tuple):
            items = ", ".join(_item(item) for item in self.value)
            more = f", … {self.length:,} in all" if len(self.value) != self.length else ""
            return f"[{items}{more}]"
        shortened = isinstance(self.value, str | bytes) and len(self.value) != self.length
        return _item(self.value) + (f"… {self.length:,} in all" if shortened else "")

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        value = [_plain(item) for item in self.value] if isinstance(self.value, tuple) else _plain(self.value)
        return {"key": self.key, "type": self.type, "value": value, "length": self.length}


@dataclass(frozen=True, slots=True)
class TypeShare:
    """How much of a file has one type. `share` is its part of all tensor bytes, 0 to 1."""

    qtype: QType
    n_tensors: int
    n_params: int
    nbytes: int
    share: float

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "type": self.qtype.name, "bpw": self.qtype.bpw, "tensors": self.n_tensors, "params": self.n_params,
            "bytes": self.nbytes, "share": self.share,
        }  # fmt: skip


@dataclass(frozen=True)
class Inspection:
    """A GGUF file described from its header. `types` come with the most bytes first."""

    path: Path
    version: int
    alignment: int
    keys: tuple[ShownKey, ...]
    tensors: tuple[GgufTensor, ...]
    types: tuple[TypeShare, ...]
    file_bytes: int
    header_bytes: int
    trailing_bytes: int
    shard: ShardKeys | None = None

    @property
    def n_params(self) -> int:
        """Number of weights."""
        return sum(share.n_params for share in self.types)

    @property
    def data_bytes(self) -> int:
        """Bytes of all tensors, without padding."""
        return sum(share.nbytes for share in self.types)

    @property
    def bpw(self) -> float:
        """Bits per weight over all tensors; 0 where there are none."""
        return 8 * self.data_bytes / self.n_params if self.n_params else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "path": str(self.path),
            "version": self.version,
            "alignment": self.alignment,
            "params": self.n_params,
            "bpw": round(self.bpw, 4),
            "file_bytes": self.file_bytes,
            "header_bytes": self.header_bytes,
            "data_bytes": self.data_bytes,
            "trailing_bytes": self.trailing_bytes,
            "shard": {"number": self.shard.number + 1, "of": self.shard.count, "tensors_in_all": self.shard.n_tensors}
            if self.shard
            else None,
            "metadata": [key.to_json() for key in self.keys],
            "types": [share.to_json() for share in self.types],
            "tensors": [
                {
                    "name": tensor.name, "shape": list(tensor.shape), "type": tensor.qtype.name,
                    "offset": tensor.offset, "bytes": tensor.nbytes,
                }
                for tensor in self.tensors
            ],
        }  # fmt: skip


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """What the GGUF file at `path` holds, from its header alone. Raises GgufError where it is none, or broken.

    Example: `ggufpress.inspect("tiny-Q4_K_M.gguf").bpw`
    """
    return inspection_of(read_gguf(Path(path)))


def inspection_of(file: GgufFile) -> Inspection:
    """The inspection of a file that was read already."""
    return Inspection(
        path=file.path,
        version=file.version,
        alignment=file.alignment,
        keys=shown_keys(file.metadata),
        tensors=file.tensors,
        types=type_shares(file.tensors),
        file_bytes=file.file_size,
        header_bytes=file.data_offset,
        trailing_bytes=file.trailing_bytes,
        shard=_shard(file),
    )


def _shard(file: GgufFile) -> ShardKeys | None:
    # keys that contradict each other can be seen among the others
    with suppress(GgufError):
        return shard_keys(file)
    return None


def shown_keys(metadata: Metadata) -> tuple[ShownKey, ...]:
    """Every key, in file order, with its value shortened."""
    return tuple(_shown(key, value) for key, value in metadata.items())


def type_shares(tensors: Sequence[GgufTensor]) -> tuple[TypeShare, ...]:
    """The types in use, the one with the most bytes first."""
    total = sum(tensor.nbytes for tensor in tensors)
    shares = []
    for qtype in QTYPES:
        own = [tensor for tensor in tensors if tensor.qtype is qtype]
        nbytes = sum(tensor.nbytes for tensor in own)
        if own:
            n_params = sum(tensor.n_params for tensor in own)
            shares.append(TypeShare(qtype, len(own), n_params, nbytes, nbytes / total if total else 0.0))
    return tuple(sorted(shares, key=lambda share: -share.nbytes))


def _shown(key: str, value: Value) -> ShownKey:
    if isinstance(value.data, tuple):
        name = f"ARRAY of {value.item_type.name if value.item_type is not None else 'nothing'}"
        return ShownKey(key, name, tuple(_cut(item) for item in value.data[:MAX_ITEMS]), len(value.data))
    length = len(value.data) if isinstance(value.data, str | bytes) else None
    return ShownKey(key, value.type.name, _cut(value.data), length)


def _cut(item: Scalar) -> Scalar:
    return item[:MAX_CHARS] if isinstance(item, str | bytes) else item


def _item(item: Scalar) -> str:
    if isinstance(item, str):
        # quotes and escapes as in JSON; what is left is printed where it can be
        return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in _quoted(item))
    return f"{item:.9g}" if isinstance(item, float) else str(item).lower() if isinstance(item, bool) else str(item)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _plain(item: Scalar) -> Scalar:
    """JSON has neither bytes nor numbers that are not finite."""
    if isinstance(item, bytes):
        return item.decode("utf-8", "backslashreplace")
    return str(item) if isinstance(item, float) and not isfinite(item) else item
