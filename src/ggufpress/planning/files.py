"""The files of one output: a single one, shards of a limited size, or shards as the source has them.

Source: TREE src/llama-quant.cpp (`keep_split`), tools/gguf-split/gguf-split.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ggufpress.errors import UsageError
from ggufpress.gguf.carried import carried_metadata, carried_shape, set_last
from ggufpress.gguf.header import ALIGNMENT, data_offsets
from ggufpress.gguf.placed import PlacedFile, placed_file
from ggufpress.gguf.shards import COUNT, N_TENSORS, NUMBER, GgufSet, shard_path
from ggufpress.gguf.values import Metadata, Value, ValueType
from ggufpress.planning.container import Container
from ggufpress.planning.model import Model
from ggufpress.planning.planned_tensor import PlannedTensor
from ggufpress.shards.division import divide
from ggufpress.shards.planning import shard_metadata
from ggufpress.source.remote import File


def planned_files(
    model: Model, path: Path, metadata: Metadata, tensors: Sequence[PlannedTensor], wanted: Container
) -> tuple[PlacedFile[PlannedTensor], ...]:
    """The files that hold `tensors`, which are in the order of the output. Raises UsageError where a shard would be empty."""
    prefix = path.with_name(path.name.removesuffix(".gguf"))
    if wanted.keep_split:
        return _kept(model, prefix, metadata, tensors)
    if wanted.limits is None:
        return (_file(path, metadata, tensors, model.alignment),)
    metadata = carried_metadata(metadata)
    tensors = [replace(tensor, shape=carried_shape(tensor.shape)) for tensor in tensors]
    parts = divide([tensor.nbytes for tensor in tensors], wanted.limits)
    return tuple(
        _shard(
            shard_path(prefix, number, len(parts)),
            metadata if number == 0 else {},
            shard_metadata(number, len(parts), len(tensors)),
            [tensors[index] for index in part],
            model.alignment if number == 0 else ALIGNMENT,
        )
        for number, part in enumerate(parts)
    )


def _kept(
    model: Model, prefix: Path, metadata: Metadata, tensors: Sequence[PlannedTensor]
) -> tuple[PlacedFile[PlannedTensor], ...]:
    if model.stored is None:
        raise UsageError("--keep-split keeps the shards of a GGUF file, and this source is none",
                         hint="--split-max-size cuts what is written")  # fmt: skip
    parts = _by_source(model.stored, tensors)
    count = len(parts)
    if empty := [number for number, part in enumerate(parts) if not part and number > 0]:
        raise UsageError(f"--keep-split: no tensor would stay in shard {empty[0] + 1} of {count}")
    files = []
    for number, part in enumerate(parts):
        own: Metadata = {
            NUMBER: Value(ValueType.UINT16, number),
            COUNT: Value(ValueType.UINT16, count),
            N_TENSORS: Value(ValueType.INT32, len(tensors)),
        }
        path = shard_path(prefix, number, count)
        first = number == 0
        files.append(
            _shard(
                path, metadata if first else {}, own if count > 1 else {}, part, model.alignment if first else ALIGNMENT
            )
        )
    return tuple(files)


def _by_source(stored: GgufSet, tensors: Sequence[PlannedTensor]) -> list[list[PlannedTensor]]:
    """The tensors of each shard of the source, up to the last that has some."""
    number: dict[File, int] = {file.path: number for number, file in enumerate(stored.files)}
    parts: list[list[PlannedTensor]] = [[] for _ in stored.files]
    for tensor in tensors:
        parts[number[tensor.source.sources[0].file]].append(tensor)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _shard(
    path: Path, keys: Metadata, own: Metadata, tensors: Sequence[PlannedTensor], alignment: int
) -> PlacedFile[PlannedTensor]:
    metadata = dict(keys)
    for key, value in own.items():
        set_last(metadata, key, value)
    return _file(path, metadata, tensors, alignment)


def _file(
    path: Path, metadata: Metadata, tensors: Sequence[PlannedTensor], alignment: int
) -> PlacedFile[PlannedTensor]:
    # without tensors nothing is aligned, as in gguf-split
    alignment = alignment if tensors else ALIGNMENT
    offsets = data_offsets((tensor.nbytes for tensor in tensors), alignment)
    placed = [replace(tensor, offset=offset) for tensor, offset in zip(tensors, offsets, strict=True)]
    return placed_file(path, metadata, placed, alignment)
