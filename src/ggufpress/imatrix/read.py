"""Reading importance matrices: GGUF files and the older .dat format. Every size is checked before it is believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ggufpress.errors import GgufError, ImatrixError
from ggufpress.files import ReadOnlyFile
from ggufpress.gguf.header import MAGIC
from ggufpress.gguf.reader import GgufData, GgufFile, GgufTensor, read_gguf
from ggufpress.gguf.values import ValueType
from ggufpress.imatrix.matrix import Entry, ImportanceMatrix
from ggufpress.quant.types import F32

SUMS, COUNTS = ".in_sum2", ".counts"
DATASETS, CHUNK_COUNT, CHUNK_SIZE = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"

AUTO = "auto"
"""What stands in the place of a path where the matrix is to be made, and what the files say then."""

MAX_VALUES = 1 << 26
"""Numbers in one entry: ten times those of the largest stacked experts known."""
MAX_EXPERTS = 1 << 16
MAX_STRING = 1 << 12
MAX_ENTRIES = 1 << 20
_SMALLEST_ENTRY = 4 + 4 + 4 + 4


def read_imatrix(path: Path) -> ImportanceMatrix:
    """The importance matrix in the file at `path`, described.

    Raises ImatrixError where it is something else, or broken. Whether its numbers are finite is not looked at here.
    """
    with ReadOnlyFile(path, ImatrixError) as file:
        if file.size >= len(MAGIC) and file.read(0, len(MAGIC), "its magic") == MAGIC:
            return _read_gguf(path)
        return _read_dat(file)


def _read_gguf(path: Path) -> ImportanceMatrix:
    try:
        file = read_gguf(path)
    except GgufError as error:
        raise ImatrixError(str(error), hint=error.hint) from error
    sums = {t.name.removesuffix(SUMS): t for t in file.tensors if t.name.endswith(SUMS)}
    counts = {t.name.removesuffix(COUNTS): t for t in file.tensors if t.name.endswith(COUNTS)}
    if not sums:
        raise ImatrixError(f"{path} is a GGUF file, but no importance matrix: it has no tensor named ...{SUMS}")
    for key in (DATASETS, CHUNK_COUNT, CHUNK_SIZE):
        if key not in file.metadata:
            raise ImatrixError(f"{path} lacks the key {key}, and llama-quantize refuses such importance matrices")
    if lone := sums.keys() ^ counts.keys():
        name = min(lone)
        raise ImatrixError(f"{path} has {SUMS if name in sums else COUNTS} of {name} alone, and both are needed")
    if len(sums) > MAX_ENTRIES:
        raise ImatrixError(f"{path} has {len(sums):,} entries, at most {MAX_ENTRIES:,} are read")
    with GgufData(file) as data:
        entries = {name: _entry(path, name, tensor, counts[name], data) for name, tensor in sorted(sums.items())}
    chunk_count, chunk_size = _number(file, CHUNK_COUNT), _number(file, CHUNK_SIZE)
    return ImportanceMatrix(path, "gguf", entries, _datasets(file), chunk_count, chunk_size, file.stamp)


def _entry(path: Path, name: str, sums: GgufTensor, counts: GgufTensor, data: GgufData) -> Entry:
    if sums.qtype is not F32 or counts.qtype is not F32:
        raise ImatrixError(f"{path}: sums and counts of {name} must be F32, they are {sums.qtype} and {counts.qtype}")
    if not 0 < sums.n_params <= MAX_VALUES or not 0 < counts.n_params <= MAX_EXPERTS:
        raise ImatrixError(f"{path}: {name} has {sums.n_params:,} sums and {counts.n_params:,} counts")
    if sums.n_params % counts.n_params:
        raise ImatrixError(
            f"{path}: the {sums.n_params:,} sums of {name} do not divide among {counts.n_params:,} counts"
        )
    raw = np.frombuffer(data.read_at(counts.offset, counts.nbytes, f"the counts of {name}"), "<f4").astype(np.float64)
    if not np.isfinite(raw).all() or np.abs(raw).max() >= 2.0**62:
        raise ImatrixError(f"{path}: a count of {name} is no finite number of a sensible size")
    # C's lround: halves go away from zero
    rounded = np.trunc(raw + np.copysign(0.5, raw))
    return Entry(name, sums.n_params, sums.offset, tuple(int(count) for count in rounded))


def _number(file: GgufFile, key: str) -> int:
    value = file.metadata[key]
    if value.type is not ValueType.UINT32 or not isinstance(value.data, int):
        raise ImatrixError(f"{file.path}: {key} is {value.type.name}, and llama-quantize reads it as UINT32")
    # llama-quantize keeps it in an int32
    return value.data - (1 << 32) if value.data >= 1 << 31 else value.data


def _datasets(file: GgufFile) -> tuple[bytes, ...]:
    value = file.metadata[DATASETS]
    if value.item_type is not ValueType.STRING or not isinstance(value.data, tuple):
        return ()
    return tuple(item.encode() if isinstance(item, str) else bytes(item) for item in value.data)  # type: ignore[arg-type]


def _read_dat(file: ReadOnlyFile) -> ImportanceMatrix:
    fields = _Fields(file)
    n_entries = fields.number("the number of entries")
    if not 0 < n_entries <= MAX_ENTRIES or n_entries * _SMALLEST_ENTRY > file.size:
        raise ImatrixError(f"{file.path} is no importance matrix: neither GGUF nor the older format")
    entries: dict[str, Entry] = {}
    for entry in fields.entries(n_entries):
        if entry.name in entries:
            raise ImatrixError(f"{file.path} has two entries for {entry.name}")
        entries[entry.name] = entry
    chunk_count = 0
    datasets: tuple[bytes, ...] = ()
    if fields.at < file.size:
        chunk_count = fields.number("the number of chunks")
        if fields.at < file.size:
            dataset = fields.string("the name of the data set", empty=True)
            datasets = (dataset,) if dataset else ()
    return ImportanceMatrix(file.path, "dat", dict(sorted(entries.items())), datasets, chunk_count, None, file.stamp)


class _Fields:
    """Reads a .dat file field by field: int32 numbers, counted strings, float32 numbers."""

    def __init__(self, file: ReadOnlyFile) -> None:
        self._file = file
        self.at = 0

    def number(self, what: str) -> int:
        data = self._file.read(self.at, 4, what)
        self.at += 4
        return int.from_bytes(data, "little", signed=True)

    def string(self, what: str, *, empty: bool = False) -> bytes:
        length = self.number(f"the length of {what}")
        if empty and length <= 0:
            return b""
        if not 0 < length <= MAX_STRING:
            raise ImatrixError(f"{self._file.path}: {what} has a length of {length} bytes")
        data = self._file.read(self.at, length, what)
        self.at += length
        # read as a C string
        return data.split(b"\0", 1)[0]

    def entries(self, count: int) -> Iterator[Entry]:
        for number in range(1, count + 1):
            what = f"entry {number} of {count}"
            raw = self.string(f"the name of {what}")
            try:
                name = raw.decode()
            except UnicodeDecodeError:
                raise ImatrixError(f"{self._file.path}: the name of {what} is no text: {raw[:40]!r}") from None
            calls, n_values = self.number(f"the calls of {name}"), self.number(f"the size of {name}")
            if not 0 < n_values <= MAX_VALUES:
                raise ImatrixError(f"{self._file.path}: {name} has {n_values:,} numbers")
            if self.at + 4 * n_values > self._file.size:
                raise ImatrixError(
                    f"{self._file.path} ends within {name}: {n_values:,} numbers expected",
                    hint="it is incomplete: download or copy it again",
                )
            # without a call, the numbers count as they are
            yield Entry(name, n_values, self.at, (calls if calls > 0 else 1,))
            self.at += 4 * n_values
