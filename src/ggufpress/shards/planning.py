"""The plan of a split or a merge: which tensor goes into which file at which offset. From headers alone.

The bytes are those of gguf-split, with one exception: where a model states an alignment other than 32, gguf-split pads
to 32 all the same and writes files that no reader takes; here every file is aligned as its keys say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.errors import GgufError, UsageError
from ggufpress.gguf.carried import carried_metadata, carried_shape, n_cut, set_last
from ggufpress.gguf.header import ALIGNMENT, data_offsets
from ggufpress.gguf.placed import PlacedFile, placed_file
from ggufpress.gguf.shards import COUNT, MAX_ALIGNMENT, N_TENSORS, NUMBER, GgufSet, check_paths, qtype_of, shard_path
from ggufpress.gguf.values import Metadata, Value, ValueType
from ggufpress.quant.types import QType
from ggufpress.shards.division import SplitLimits, divide
from ggufpress.source.checkpoint import TensorRef


@dataclass(frozen=True, slots=True)
class CopiedTensor:
    """One tensor and its new place. `offset` counts bytes from the start of the data section."""

    source: TensorRef
    shape: tuple[int, ...]
    qtype: QType
    offset: int

    @property
    def name(self) -> str:
        """Its name, in both files."""
        return self.source.name

    @property
    def nbytes(self) -> int:
        """Bytes of its data, without padding."""
        return self.source.nbytes


CopiedFile = PlacedFile[CopiedTensor]


@dataclass(frozen=True)
class SplitPlan:
    """All files of a split, or the one file of a merge."""

    source: GgufSet
    files: tuple[CopiedFile, ...]
    notes: tuple[str, ...]

    @property
    def data_bytes(self) -> int:
        """Bytes that are copied."""
        return sum(ref.nbytes for ref in self.source.tensors)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "sources": [str(file.path) for file in self.source.files],
            "files": [
                {
                    "path": str(file.path),
                    "bytes": file.file_bytes,
                    "tensors": [
                        {
                            "name": tensor.name,
                            "type": tensor.qtype.name,
                            "offset": tensor.offset,
                            "bytes": tensor.nbytes,
                        }
                        for tensor in file.tensors
                    ],
                }
                for file in self.files
            ],
            "notes": list(self.notes),
        }


def plan_split(source: GgufSet, prefix: Path, limits: SplitLimits) -> SplitPlan:
    """The plan that makes shards `PREFIX-00001-of-0000N.gguf` of `source`.

    Raises UsageError where the limits cannot be met, or a shard would replace a file that is read.
    """
    refs = source.tensors
    parts = divide([ref.nbytes for ref in refs], limits)
    paths = [shard_path(prefix, number, len(parts)) for number in range(len(parts))]
    check_paths(source, paths)
    _check_alignment(source)
    files = []
    for number, (part, path) in enumerate(zip(parts, paths, strict=True)):
        metadata = carried_metadata(source.metadata) if number == 0 else {}
        metadata |= shard_metadata(number, len(parts), len(refs))
        files.append(
            _file(path, metadata, [refs[index] for index in part], source.alignment if number == 0 else ALIGNMENT)
        )
    return SplitPlan(source, tuple(files), _notes(source))


def plan_merge(source: GgufSet, path: Path, *, keep_split_keys: bool = False) -> SplitPlan:
    """The plan that makes one file of `source`: what it was before it was split.

    `keep_split_keys` leaves the shard's keys in, with a count of 0, as gguf-split does.
    Raises UsageError where the file would replace one that is read.
    """
    check_paths(source, [path])
    _check_alignment(source)
    metadata = carried_metadata(source.metadata)
    if keep_split_keys:
        metadata = carried_metadata(source.files[0].metadata)
        set_last(metadata, COUNT, Value(ValueType.UINT16, 0))
    return SplitPlan(source, (_file(path, metadata, source.tensors, source.alignment),), _notes(source))


def shards_prefix(source: GgufSet, output: Path | None) -> Path:
    """What the names of shards start with where a caller asks for `output`: a prefix, a folder, or nothing."""
    if output is None:
        return Path(source.name)
    return output / source.name if output.is_dir() else output.with_name(output.name.removesuffix(".gguf"))


def merged_path(source: GgufSet, output: Path | None) -> Path:
    """The file to merge to where a caller asks for `output`: a file, a folder, or nothing.

    Raises UsageError where there is nothing to merge.
    """
    if not source.is_split:
        raise UsageError(f"{source.path} is a whole GGUF file, not a shard of a set")
    path = Path() if output is None else output
    return path / f"{source.name}.gguf" if path.is_dir() else path


def shard_metadata(number: int, count: int, n_tensors: int) -> Metadata:
    """The keys of shard `number`, in the order in which gguf-split leaves them: the count is set twice."""
    return {
        NUMBER: Value(ValueType.UINT16, number),
        N_TENSORS: Value(ValueType.INT32, n_tensors),
        COUNT: Value(ValueType.UINT16, count),
    }


def _file(path: Path, metadata: Metadata, refs: Sequence[TensorRef], alignment: int) -> CopiedFile:
    tensors = tuple(
        CopiedTensor(ref, carried_shape(ref.shape), qtype_of(ref), offset)
        for ref, offset in zip(refs, data_offsets((ref.nbytes for ref in refs), alignment), strict=True)
    )
    return placed_file(path, metadata, tensors, alignment)


def _check_alignment(source: GgufSet) -> None:
    if source.alignment > MAX_ALIGNMENT:
        raise GgufError(f"{source.path}: general.alignment is {source.alignment:,}, more than {MAX_ALIGNMENT:,} bytes")


def _notes(source: GgufSet) -> tuple[str, ...]:
    notes = []
    if cut := n_cut(source.metadata):
        notes.append(f"{cut} strings hold a NUL and end there, as in every program that uses ggml")
    if flat := sum(carried_shape(ref.shape) != ref.shape for ref in source.tensors):
        notes.append(f"{flat} tensors lose leading axes of length 1, which ggml does not count")
    return tuple(notes)
