"""A model in one GGUF file or in several shards, read as one: `NAME-00001-of-00003.gguf` and its siblings.

The first shard has the model's keys; each has three of its own: its number, how many shards there are, how many
tensors they hold together. Source: TREE tools/gguf-split/gguf-split.cpp, src/llama.cpp (`llama_split_path`),
src/llama-model-loader.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ggufpress.errors import GgufError, UsageError
from ggufpress.gguf.reader import GgufFile, read_gguf
from ggufpress.gguf.values import Metadata, ValueType
from ggufpress.quant.types import BY_NAME, QType
from ggufpress.source.checkpoint import TensorRef

NUMBER = "split.no"
COUNT = "split.count"
N_TENSORS = "split.tensors.count"
SHARD_KEYS = (NUMBER, COUNT, N_TENSORS)
MAX_SHARDS = 65535
"""`split.count` is a 16-bit number."""

MAX_ALIGNMENT = 1 << 20
"""The largest alignment that is written: no file is known with more than a page, and padding is made in memory."""

_NAME = re.compile(r"(.+)-(\d{5,})-of-(\d{5,})\.gguf", re.DOTALL)
_INTEGERS = (
    ValueType.UINT8, ValueType.INT8, ValueType.UINT16, ValueType.INT16, ValueType.UINT32, ValueType.INT32,
    ValueType.UINT64, ValueType.INT64,
)  # fmt: skip
LISTED = 4


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """What a file says of its part in a set. `number` counts from 0; `n_tensors` is of the whole set, None if unsaid."""

    number: int
    count: int
    n_tensors: int | None


@dataclass(frozen=True)
class GgufSet:
    """A model as its files describe it. `files` are in the order of the shards; one file alone is a set too."""

    files: tuple[GgufFile, ...]

    @property
    def path(self) -> Path:
        """The first file."""
        return self.files[0].path

    @property
    def is_split(self) -> bool:
        """Whether there is more than one file."""
        return len(self.files) > 1

    @cached_property
    def name(self) -> str:
        """The file's name without `.gguf` and without the number of the shard."""
        named = shard_name(self.path) if self.is_split else None
        return named[0].name if named else self.path.name.removesuffix(".gguf")

    @cached_property
    def metadata(self) -> Metadata:
        """The model's keys in file order, without those of a shard."""
        return {key: value for key, value in self.files[0].metadata.items() if key not in SHARD_KEYS}

    @property
    def alignment(self) -> int:
        """The alignment that the model's keys ask for, in bytes."""
        return self.files[0].alignment

    @cached_property
    def tensors(self) -> tuple[TensorRef, ...]:
        """All tensors, shard after shard in file order. Their `dtype` is the name of a tensor type."""
        return tuple(
            TensorRef(tensor.name, tensor.qtype.name, tensor.shape, file.path, tensor.offset, tensor.nbytes, file.stamp)
            for file in self.files
            for tensor in file.tensors
        )


def qtype_of(ref: TensorRef) -> QType:
    """The type of a tensor of a `GgufSet`."""
    return BY_NAME[ref.dtype]


def shard_path(prefix: Path, number: int, count: int) -> Path:
    """Where shard `number`, counted from 0, of `count` stands.

    Example: `shard_path(Path("a"), 0, 3).name == "a-00001-of-00003.gguf"`
    """
    return prefix.with_name(f"{prefix.name}-{number + 1:05d}-of-{count:05d}.gguf")


def shard_name(path: Path) -> tuple[Path, int, int] | None:
    """Prefix, number from 0 and count in the name of a shard; None where the name is not one."""
    match = _NAME.fullmatch(path.name)
    if not match or path.name != shard_path(Path(match[1]), int(match[2]) - 1, int(match[3])).name:
        return None
    return path.with_name(match[1]), int(match[2]) - 1, int(match[3])


def shard_keys(file: GgufFile) -> ShardKeys | None:
    """What `file` says of its part in a set of several files; None where it stands alone.

    Raises GgufError where it contradicts itself.
    """
    count = _integer(file, COUNT)
    # gguf-split leaves a count of 0 in what it merges
    if count is None or count <= 1:
        return None
    number, n_tensors = _integer(file, NUMBER), _integer(file, N_TENSORS)
    if number is None:
        raise GgufError(f"{file.path} says that it is one of {count:,} shards, but {NUMBER} is missing")
    if not 0 <= number < count <= MAX_SHARDS:
        raise GgufError(f"{file.path} says that it is shard {number + 1:,} of {count:,}")
    return ShardKeys(number, count, n_tensors)


def read_gguf_set(path: Path) -> GgufSet:
    """The model of which the file at `path` is all, or any shard. Reads headers alone.

    Raises GgufError where a file is broken, a shard is missing, or the shards are not those of one model.
    """
    given = read_gguf(path)
    keys = shard_keys(given)
    if keys is None:
        return GgufSet((given,))
    named = shard_name(path)
    if named is None or named[1:] != (keys.number, keys.count):
        expected = shard_path(Path("NAME"), keys.number, keys.count).name
        raise GgufError(
            f"{path} is shard {keys.number + 1} of {keys.count}, but its name is not {expected}: "
            "the other shards cannot be found",
            hint=f"rename it to {expected}, and the others accordingly",
        )
    paths = [shard_path(named[0], number, keys.count) for number in range(keys.count)]
    _require(paths)
    files = [given if number == keys.number else read_gguf(other) for number, other in enumerate(paths)]
    _check_numbers(files, keys)
    _check_model(files)
    _check_tensors(files, keys)
    return GgufSet(tuple(files))


def check_paths(source: GgufSet, paths: Iterable[Path]) -> None:
    """Raise UsageError where one of `paths` is a file of `source`."""
    read = {file.path.resolve() for file in source.files}
    for path in paths:
        if path.resolve() in read:
            raise UsageError(f"{path} is read and cannot be written at the same time", hint="give another name with -o")


def _require(paths: Sequence[Path]) -> None:
    missing = [path for path in paths if not path.exists()]
    if missing:
        names = ", ".join(path.name for path in missing[:LISTED]) + (" ..." if len(missing) > LISTED else "")
        raise GgufError(
            f"{paths[0].parent}: {len(missing)} of {len(paths)} shards are missing: {names}",
            hint="download or copy them into the same folder",
        )


def _check_numbers(files: Sequence[GgufFile], given: ShardKeys) -> None:
    for number, file in enumerate(files):
        keys = shard_keys(file)
        if keys is None:
            raise GgufError(f"{file.path} is not a shard: {COUNT} is missing or below 2", hint=_OTHER_MODEL)
        if (keys.number, keys.count) != (number, given.count):
            raise GgufError(
                f"{file.path} says that it is shard {keys.number + 1} of {keys.count}, its name says {number + 1} of "
                f"{given.count}",
                hint=_OTHER_MODEL,
            )
        if keys.n_tensors != given.n_tensors:
            raise GgufError(
                f"{file.path} is of a set with {keys.n_tensors} tensors, {files[given.number].path.name} of one with "
                f"{given.n_tensors}",
                hint=_OTHER_MODEL,
            )


def _check_model(files: Sequence[GgufFile]) -> None:
    first = files[0].metadata
    for file in files[1:]:
        for key, value in file.metadata.items():
            if key not in SHARD_KEYS and key in first and first[key] != value:
                raise GgufError(f"{file.path}: {key} is not what {files[0].path.name} says", hint=_OTHER_MODEL)


def _check_tensors(files: Sequence[GgufFile], given: ShardKeys) -> None:
    owner: dict[str, Path] = {}
    for file in files:
        for tensor in file.tensors:
            if tensor.name in owner:
                raise GgufError(
                    f"{file.path}: tensor {tensor.name!r} stands in {owner[tensor.name].name} too", hint=_OTHER_MODEL
                )
            owner[tensor.name] = file.path
    if given.n_tensors is not None and len(owner) != given.n_tensors:
        raise GgufError(
            f"{files[0].path} and its shards hold {len(owner):,} tensors, {N_TENSORS} says {given.n_tensors:,}",
            hint=_OTHER_MODEL,
        )


_OTHER_MODEL = "one of these files belongs to another model, or to another split of it"


def _integer(file: GgufFile, key: str) -> int | None:
    value = file.metadata.get(key)
    if value is None:
        return None
    if value.type not in _INTEGERS or not isinstance(value.data, int):
        raise GgufError(f"{file.path}: {key} is {value.type.name}, not a whole number")
    return value.data
