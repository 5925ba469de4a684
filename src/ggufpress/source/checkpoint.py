"""A Hugging Face checkpoint, described: its config, its small files and its tensor index. No weight is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ggufpress.errors import CheckpointError
from ggufpress.files import FileStamp, ReadOnlyFile
from ggufpress.source.remote import File, Folder, SmallFiles

MAX_TEXT_BYTES = 128 << 20
"""The largest small file that is read as a whole: four times the largest tokenizer.json."""


@dataclass(frozen=True, slots=True)
class TensorRef:
    """Where one tensor's bytes lie.

    `dtype` is the safetensors name (BF16, F16, F32); `shape` is in NumPy order; `offset` and `nbytes` count bytes of
    `file`, from its start. `stamp` says which file that was, where it matters.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: File
    offset: int
    nbytes: int
    stamp: FileStamp | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint. `tensors` are in the reference's order: shards by name, then tensors by name.

    `root` is the folder's path, or the id of a repository. `elsewhere` are the small files of one that is no folder on
    this disk, and `provenance` says where it comes from, in words for the manifest. `called` is a name that takes the
    place of the folder's.
    """

    root: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorRef]
    elsewhere: SmallFiles | None = field(default=None, repr=False)
    provenance: Mapping[str, str] = field(default_factory=dict)
    called: str = ""

    @property
    def small(self) -> SmallFiles:
        """The files beside the weights."""
        return self.elsewhere or Folder(self.root)

    @property
    def name(self) -> str:
        """The folder's name, which the reference falls back to for `general.name`."""
        return self.called or self.root.name

    def has(self, name: str) -> bool:
        """Whether the small file `name` exists."""
        return self.small.has(name)

    def read_text(self, name: str) -> str:
        """The text of the small file `name`. Raises CheckpointError where it is missing or not UTF-8."""
        path = self.root / name
        with ReadOnlyFile(self.small.path(name), CheckpointError) as file:
            if file.size > MAX_TEXT_BYTES:
                raise CheckpointError(f"{path} has {file.size:,} bytes, more than {MAX_TEXT_BYTES:,}")
            data = file.read(0, file.size, "its text")
        try:
            # line ends as the reference sees them, which opens these files as text
            return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error

    def read_json(self, name: str) -> Any:
        """The content of the JSON file `name`. Raises CheckpointError where it is missing or not JSON."""
        try:
            return json.loads(self.read_text(name))
        # a number of thousands of digits is a plain ValueError
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{self.root / name} is not JSON: {error}") from error
