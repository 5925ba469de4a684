"""A Hugging Face checkpoint, described: its config, its small files and its tensor index. No weight is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class TensorRef:
    """Where one tensor's bytes lie.

    `dtype` is the safetensors name (BF16, F16, F32); `shape` is in NumPy order; `offset` and `nbytes` count bytes of
    `file`, from its start.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    nbytes: int


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder. `tensors` are in the reference's order: shards by name, then tensors by name."""

    root: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorRef]

    @property
    def name(self) -> str:
        """The folder's name, which the reference falls back to for `general.name`."""
        return self.root.name

    def has(self, name: str) -> bool:
        """Whether the small file `name` exists."""
        return (self.root / name).is_file()

    def read_text(self, name: str) -> str:
        """The text of the small file `name`. Raises CheckpointError where it is missing or not UTF-8."""
        path = self.root / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise CheckpointError(f"{path} is missing") from None
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error

    def read_json(self, name: str) -> Any:
        """The content of the JSON file `name`. Raises CheckpointError where it is missing or not JSON."""
        try:
            return json.loads(self.read_text(name))
        except (json.JSONDecodeError, RecursionError) as error:
            raise CheckpointError(f"{self.root / name} is not JSON: {error}") from error
