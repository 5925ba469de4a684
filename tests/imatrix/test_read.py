"""Importance matrices are read as llama-quantize reads them, and broken ones are refused with their names."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ggufpress.errors import ImatrixError
from ggufpress.gguf.values import Value, ValueType, array, text, u32
from ggufpress.imatrix.keys import imatrix_keys
from ggufpress.imatrix.matrix import ImportanceData, ImportanceMatrix, check_finite
from ggufpress.imatrix.read import read_imatrix
from ggufpress.quant.types import F16, F32
from tests.imatrix.files import CHUNKS, DATASET, Sums, dat_bytes, entries_for, gguf_bytes, gguf_of
from tests.traced_memory import memory_within

DENSE, EXPERTS = "blk.0.attn_q.weight", "blk.0.ffn_up_exps.weight"
ENTRIES = entries_for([(DENSE, (4, 64)), (EXPERTS, (3, 4, 32)), ("blk.1.attn_q.weight", (4, 64))])


def saved(path: Path, data: bytes) -> ImportanceMatrix:
    path.write_bytes(data)
    return read_imatrix(path)


def weights(matrix: ImportanceMatrix, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with ImportanceData(matrix) as data:
        return data.weights(matrix.entries[name])


def test_gguf_sums_are_divided_by_their_counts_and_unseen_experts_weigh_1(tmp_path: Path) -> None:
    matrix = saved(tmp_path / "a.gguf", gguf_bytes(ENTRIES))
    assert list(matrix.entries) == sorted(ENTRIES)
    assert (matrix.format, matrix.chunk_count, matrix.chunk_size, matrix.datasets) == ("gguf", CHUNKS, 512, (DATASET,))
    got = weights(matrix, EXPERTS).reshape(3, 32)
    counts = ENTRIES[EXPERTS].counts
    assert counts[0] == 0
    assert (got[0] == 1).all()
    for expert in (1, 2):
        assert got[expert].tobytes() == (ENTRIES[EXPERTS].sums[expert] / counts[expert]).tobytes()
    with ImportanceData(matrix) as data:
        assert (data.weights(matrix.entries[EXPERTS], 20, 50) == got.ravel()[20:70]).all()


def test_counts_are_rounded_away_from_zero_as_lround_does(tmp_path: Path) -> None:
    sums = np.ones((4, 2), np.float32)
    matrix = saved(tmp_path / "a.gguf", gguf_bytes({"x": Sums(sums, np.array([2.5, 0.5, 0.4, -1], np.float32))}))
    assert matrix.entries["x"].counts == (3, 1, 0, -1)
    assert weights(matrix, "x").tolist() == [np.float32(1) / np.float32(3)] * 2 + [1] * 6


def test_one_count_may_stand_for_several_matrices(tmp_path: Path) -> None:
    sums = np.arange(8, dtype=np.float32).reshape(2, 4)
    matrix = saved(tmp_path / "a.gguf", gguf_bytes({"x": Sums(sums, np.array([4], np.float32))}))
    assert weights(matrix, "x").tolist() == [i / 4 for i in range(8)]


def test_the_older_format_divides_by_the_calls(tmp_path: Path) -> None:
    matrix = saved(tmp_path / "a.dat", dat_bytes(ENTRIES))
    assert (matrix.format, matrix.chunk_count, matrix.chunk_size, matrix.datasets) == ("dat", CHUNKS, None, (DATASET,))
    raw = np.float32(7) * (ENTRIES[DENSE].sums / ENTRIES[DENSE].counts)
    assert weights(matrix, DENSE).tobytes() == (raw.ravel() / np.float32(7)).astype(np.float32).tobytes()
    bare = saved(tmp_path / "b.dat", dat_bytes(ENTRIES, tail=False))
    assert (bare.chunk_count, bare.datasets) == (0, ())
    uncalled = struct.pack("<ii1sii2f", 1, 1, b"x", 0, 2, 3.0, 5.0)
    assert weights(saved(tmp_path / "c.dat", uncalled), "x").tolist() == [3, 5]


def test_keys_are_cut_as_llama_quantizes_buffer_cuts_them(tmp_path: Path) -> None:
    matrix = saved(tmp_path / "a.gguf", gguf_bytes(ENTRIES))
    keys = imatrix_keys(matrix, "é" * 100)
    assert keys["quantize.imatrix.file"].data == ("é" * 100).encode()[:127]
    assert [key.rsplit(".", 1)[1] for key in keys] == ["file", "dataset", "entries_count", "chunks_count"]
    assert imatrix_keys(matrix)["quantize.imatrix.file"].data == str(tmp_path / "a.gguf").encode()[:127]
    bare = saved(tmp_path / "b.dat", dat_bytes(ENTRIES, tail=False))
    assert list(imatrix_keys(bare)) == ["quantize.imatrix.file", "quantize.imatrix.entries_count"]


def test_entries_are_chosen_by_parts_of_their_names(tmp_path: Path) -> None:
    matrix = saved(tmp_path / "a.gguf", gguf_bytes(ENTRIES))
    assert list(matrix.chosen(["attn_q", "exps"], []).entries) == sorted(ENTRIES)
    assert list(matrix.chosen([], ["blk.0."]).entries) == ["blk.1.attn_q.weight"]
    assert matrix.chosen().entries == matrix.entries
    with pytest.raises(ImatrixError, match="has no entry with 'attn_z' in its name"):
        matrix.chosen([], ["attn_z"])


def test_numbers_that_are_not_finite_are_named(tmp_path: Path) -> None:
    bad = dict(ENTRIES)
    sums = ENTRIES[EXPERTS].sums.copy()
    sums[1, 3] = np.inf
    bad[EXPERTS] = Sums(sums, ENTRIES[EXPERTS].counts)
    matrix = saved(tmp_path / "a.gguf", gguf_bytes(bad))
    with pytest.raises(ImatrixError, match=r"blk\.0\.ffn_up_exps\.weight at 35"):
        check_finite(matrix)
    check_finite(matrix.chosen([], ["ffn_up"]))
    # an expert that counts 0 weighs 1 whatever its sums are
    sums[1, 3], sums[0, 0] = 1, np.nan
    check_finite(saved(tmp_path / "b.gguf", gguf_bytes(bad)))


def test_a_matrix_that_changes_after_it_was_described_is_refused(tmp_path: Path) -> None:
    matrix = saved(tmp_path / "a.gguf", gguf_bytes(ENTRIES))
    (tmp_path / "a.gguf").write_bytes(gguf_bytes(ENTRIES) + b"x")
    with pytest.raises(ImatrixError, match="has changed"):
        ImportanceData(matrix)


KEYS = {"imatrix.datasets": array(ValueType.STRING, []), "imatrix.chunk_count": u32(1), "imatrix.chunk_size": u32(1)}
ONE = {"x.in_sum2": (np.ones((1, 32), np.float32), F32), "x.counts": (np.ones((1, 1), np.float32), F32)}


def without(key: str) -> dict[str, Value]:
    return {name: value for name, value in KEYS.items() if name != key}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gguf_of(KEYS, {"x": ONE["x.counts"]}), "no tensor named ....in_sum2"),
        (lambda: gguf_of(without("imatrix.datasets"), ONE), "lacks the key imatrix.datasets"),
        (lambda: gguf_of(without("imatrix.chunk_count"), ONE), "lacks the key imatrix.chunk_count"),
        (lambda: gguf_of(KEYS | {"imatrix.chunk_count": text("1")}, ONE), "imatrix.chunk_count is STRING"),
        (lambda: gguf_of(KEYS, {"x.in_sum2": ONE["x.in_sum2"]}), "has .in_sum2 of x alone"),
        (lambda: gguf_of(KEYS, ONE | {"y.counts": ONE["x.counts"]}), "has .counts of y alone"),
        (lambda: gguf_of(KEYS, ONE | {"x.in_sum2": (np.ones((1, 32), np.float32), F16)}), "must be F32, they are F16"),
        (lambda: gguf_of(KEYS, ONE | {"x.counts": (np.ones((1, 3), np.float32), F32)}), "do not divide among 3 counts"),
        (lambda: gguf_of(KEYS, ONE | {"x.counts": (np.full((1, 1), np.nan, np.float32), F32)}), "no finite number"),
        (lambda: gguf_of(KEYS, ONE | {"x.counts": (np.full((1, 1), 1e30, np.float32), F32)}), "no finite number"),
        (lambda: gguf_bytes(ENTRIES)[:-40], "a.bin"),
        (lambda: b"", "ends within"),
        (lambda: b"GGUF", "ends within"),
        (lambda: b"hello world, this is text", "is no importance matrix"),
        (lambda: struct.pack("<i", 0), "is no importance matrix"),
        (lambda: struct.pack("<i", -1), "is no importance matrix"),
        (lambda: struct.pack("<i", 1 << 30) + bytes(100), "is no importance matrix"),
        (lambda: struct.pack("<ii", 1, -5) + bytes(100), "has a length of -5 bytes"),
        (lambda: struct.pack("<ii", 1, 1 << 30) + bytes(100), "has a length of 1073741824 bytes"),
        (lambda: struct.pack("<ii1sii", 1, 1, b"x", 1, 1 << 26) + bytes(100), "ends within x: 67,108,864 numbers"),
        (lambda: struct.pack("<ii1sii", 1, 1, b"x", 1, 0) + bytes(100), "x has 0 numbers"),
        (lambda: struct.pack("<ii1sii", 1, 1, b"x", 1, -3) + bytes(100), "x has -3 numbers"),
        (lambda: struct.pack("<ii1siif", 1, 1, b"\xff", 1, 1, 1.0), "is no text"),
        (lambda: struct.pack("<i", 2) + 2 * struct.pack("<i1siif", 1, b"x", 1, 1, 1.0), "two entries for x"),
        (lambda: dat_bytes(ENTRIES)[:-3], "ends within the name of the data set"),
        (lambda: dat_bytes(ENTRIES, tail=False) + b"\1\0", "ends within the number of chunks"),
    ],
)  # fmt: skip
def test_what_is_broken_is_refused_and_named(tmp_path: Path, make: Callable[[], bytes], message: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(make())
    with pytest.raises(ImatrixError, match=r"a\.bin") as caught:
        read_imatrix(path)
    assert message in str(caught.value)


def test_any_cut_of_a_file_is_an_error_or_another_matrix(tmp_path: Path) -> None:
    for name, data in (("a.gguf", gguf_bytes(ENTRIES)), ("a.dat", dat_bytes(ENTRIES))):
        # without padding at its end a GGUF file is whole
        for end in range(0, len(data) - 32, 7):
            (tmp_path / name).write_bytes(data[:end])
            try:
                read_imatrix(tmp_path / name)
            except ImatrixError:
                continue
            assert name == "a.dat"


def test_a_hostile_claim_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(struct.pack("<ii1sii", 1, 1, b"x", 1, 1 << 26) + bytes(1000))
    with memory_within(1 << 20), pytest.raises(ImatrixError):
        read_imatrix(path)
