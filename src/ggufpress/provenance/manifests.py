"""A manifest, read. It may come with a downloaded file, so nothing in it is believed before it was looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.errors import ManifestError, UsageError
from ggufpress.execute.manifest import FORMAT
from ggufpress.files import ReadOnlyFile
from ggufpress.recipe.file import recipe_from
from ggufpress.recipe.recipe import Recipe

MAX_BYTES = 256 << 20
"""Ten times the manifest of a model with 100,000 tensors."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as a manifest lists it. The header is what stands before its tensors; None for files of the source.

    `sha256` is None for a file of the Hub that has none there and was not read whole.
    """

    name: str
    nbytes: int
    sha256: str | None
    header_bytes: int | None = None
    header_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ListedTensor:
    """A tensor as a manifest lists it."""

    name: str
    shape: tuple[int, ...]
    type: str
    nbytes: int
    sha256: str
    rmse: float | None


@dataclass(frozen=True)
class Request:
    """How the file was asked for, in the words of `planning.build_plan`."""

    recipe: Recipe
    layout: str
    via: str
    pre: str | None
    imatrix_name: str | None
    allow_requantize: bool
    prune_layers: tuple[int, ...]
    override_kv: tuple[str, ...]
    keep_split: bool
    split_max_size: int | None
    split_max_tensors: int | None


@dataclass(frozen=True)
class Manifest:
    """What a manifest says. `files` are those of the output, `tensors` theirs by name; `imatrix` None without one."""

    path: Path
    versions: Mapping[str, str]
    source_name: str
    source_is_gguf: bool
    repo: str | None
    revision: str | None
    source_files: tuple[ListedFile, ...]
    imatrix: ListedFile | None
    request: Request
    files: tuple[ListedFile, ...]
    tensors: Mapping[str, ListedTensor]


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`. Raises ManifestError where it is none, or lacks something."""
    with ReadOnlyFile(path, ManifestError) as file:
        if file.size > MAX_BYTES:
            raise ManifestError(f"{path} has {file.size:,} bytes, a manifest has at most {MAX_BYTES:,}")
        data = file.read(0, file.size, "its text")
    try:
        content = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path} is no manifest: {error}") from None
    found = _Table(path, "", content)
    if (number := found.content.get("manifest")) != FORMAT:
        raise ManifestError(f"{path} is no manifest of format {FORMAT}: its `manifest` is {number!s:.40}")
    return _manifest(path, found)


class _Table:
    """An object of the JSON file, whose values are checked when they are asked for."""

    def __init__(self, path: Path, where: str, content: Any) -> None:
        if not isinstance(content, dict):
            raise ManifestError(f"{path}: {where or 'the whole'} is no JSON object")
        self.path, self.where, self.content = path, where, content

    def get(self, key: str, kind: type | tuple[type, ...]) -> Any:
        value = self.content.get(key)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        # a bool is an int to Python, not to a reader of JSON
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            state = "is missing" if key not in self.content else f"is {value!s:.60}"
            raise ManifestError(f"{self.path}: {self.where}{key} {state}")
        return value

    def maybe(self, key: str, kind: type | tuple[type, ...]) -> Any:
        return None if self.content.get(key) is None else self.get(key, kind)

    def count(self, key: str) -> int:
        value: int = self.get(key, int)
        if value < 0:
            raise ManifestError(f"{self.path}: {self.where}{key} is {value}")
        return value

    def table(self, key: str) -> _Table:
        return _Table(self.path, f"{self.where}{key}.", self.content.get(key))

    def tables(self, key: str) -> list[_Table]:
        return [_Table(self.path, f"{self.where}{key}[{i}].", item) for i, item in enumerate(self.get(key, list))]

    def items(self, key: str, kind: type) -> tuple[Any, ...]:
        values = self.get(key, list)
        if not all(isinstance(value, kind) and not isinstance(value, bool) for value in values):
            raise ManifestError(f"{self.path}: {self.where}{key} is not a list of {kind.__name__}")
        return tuple(values)


def _manifest(path: Path, found: _Table) -> Manifest:
    source, output = found.table("source"), found.table("output")
    files = source.table("files")
    imatrix = found.table("imatrix") if found.content.get("imatrix") is not None else None
    return Manifest(
        path=path,
        versions={str(name): str(value) for name, value in found.get("versions", dict).items()},
        source_name=_file_name(source, "name"),
        source_is_gguf=source.get("kind", str) == "gguf",
        repo=source.maybe("repo", str),
        revision=source.maybe("revision", str),
        source_files=tuple(_listed(name, files.table(name)) for name in files.content),
        imatrix=_listed(_file_name(imatrix, "name"), imatrix) if imatrix else None,
        request=_request(found, output),
        files=tuple(_output_file(item) for item in output.tables("files")),
        tensors={item.get("name", str): _tensor(item) for item in output.tables("tensors")},
    )


def _file_name(table: _Table, key: str) -> str:
    """A name that is no path: what a manifest says must not point anywhere else."""
    name: str = table.get(key, str)
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ManifestError(f"{table.path}: {table.where}{key} is no name of a file: {name:.60}")
    return name


def _listed(name: str, table: _Table) -> ListedFile:
    return ListedFile(name, table.count("bytes"), table.maybe("sha256", str))


def _output_file(table: _Table) -> ListedFile:
    return ListedFile(
        _file_name(table, "path"), table.count("bytes"), table.get("sha256", str), table.count("header_bytes"),
        table.get("header_sha256", str),
    )  # fmt: skip


def _tensor(table: _Table) -> ListedTensor:
    return ListedTensor(
        table.get("name", str), table.items("shape", int), table.get("type", str), table.count("bytes"),
        table.get("sha256", str), table.maybe("rmse", (int, float)),
    )  # fmt: skip


def _request(found: _Table, output: _Table) -> Request:
    asked = found.table("request")
    split = asked.table("split") if asked.content.get("split") is not None else None
    try:
        recipe = recipe_from({key: value for key, value in output.get("recipe", dict).items() if value is not None})
    except UsageError as error:
        raise ManifestError(f"{found.path}: output.recipe: {error}") from None
    via = output.maybe("via", str)
    return Request(
        recipe=recipe,
        layout=output.get("layout", str),
        via=via.lower() if via else "auto",
        pre=asked.maybe("pre", str),
        imatrix_name=asked.maybe("imatrix_name", str),
        allow_requantize=asked.get("allow_requantize", bool),
        prune_layers=asked.items("prune_layers", int),
        override_kv=asked.items("override_kv", str),
        keep_split=asked.get("keep_split", bool),
        split_max_size=split.maybe("max_bytes", int) if split else None,
        split_max_tensors=split.maybe("max_tensors", int) if split else None,
    )
