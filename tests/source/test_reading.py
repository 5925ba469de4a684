from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from ggufpress.errors import CheckpointError
from ggufpress.source.checkpoint import TensorRef
from ggufpress.source.reading import TensorReader
from ggufpress.source.safetensors import read_header


def shard(path: Path, seed: int = 0) -> tuple[TensorRef, bytes]:
    array = np.random.default_rng(seed).integers(0, 256, 1000, np.uint8)
    safetensors.numpy.save_file({f"t{seed}": array}, path)
    return read_header(path)[0], array.tobytes()


def test_reads_slabs(tmp_path: Path) -> None:
    ref, data = shard(tmp_path / "a.safetensors")
    with TensorReader() as reader:
        for start, length in ((0, 1000), (0, 0), (1000, 0), (17, 300), (999, 1)):
            buffer = bytearray(length)
            reader.advise(ref, start, length)
            reader.read_into(ref, start, memoryview(buffer))
            assert buffer == data[start : start + length]
        words = np.zeros(10, np.uint32)
        reader.read_into(ref, 4, words.data)
        assert words.tobytes() == data[4:44]


def test_never_reads_beyond_the_tensor(tmp_path: Path) -> None:
    ref, _ = shard(tmp_path / "a.safetensors")
    with TensorReader() as reader:
        for start, length in ((0, 1001), (-1, 1), (1000, 1)):
            with pytest.raises(ValueError, match=r"not within the 1000 of t0"):
                reader.read_into(ref, start, memoryview(bytearray(length)))


def test_reads_on_after_a_short_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, data = shard(tmp_path / "a.safetensors")
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, at: whole(fd, [buffers[0][:7]], at))
    buffer = bytearray(1000)
    with TensorReader() as reader:
        reader.read_into(ref, 0, memoryview(buffer))
    assert buffer == data


def test_an_error_names_file_and_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, _ = shard(tmp_path / "a.safetensors")

    def broken(fd: int, buffers: Sequence[memoryview], at: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with TensorReader() as reader:
        monkeypatch.setattr(os, "preadv", broken)
        with pytest.raises(CheckpointError, match=r"a.safetensors: tensor 't0' cannot be read: input/output error"):
            reader.read_into(ref, 0, memoryview(bytearray(10)))


def test_notices_that_a_file_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    ref, _ = shard(path)
    with path.open("ab") as stream:
        stream.write(b"x")
    with TensorReader() as reader, pytest.raises(CheckpointError, match=r"a.safetensors has changed from 10\d\d to"):
        reader.read_into(ref, 0, memoryview(bytearray(10)))
    ref, _ = shard(path)
    os.utime(path, (1, 1))
    with TensorReader() as reader, pytest.raises(CheckpointError, match=r"has changed on disk"):
        reader.read_into(ref, 0, memoryview(bytearray(10)))
    path.unlink()
    with TensorReader() as reader, pytest.raises(CheckpointError, match=r"is missing"):
        reader.advise(ref, 0, 10)


def test_notices_a_file_that_shrinks_meanwhile(tmp_path: Path) -> None:
    ref, _ = shard(tmp_path / "a.safetensors")
    with TensorReader() as reader:
        reader.read_into(ref, 0, memoryview(bytearray(10)))
        os.truncate(str(ref.file), ref.offset + 5)
        with pytest.raises(CheckpointError, match=r"a.safetensors ends within tensor 't0', after \d+ bytes"):
            reader.read_into(ref, 0, memoryview(bytearray(10)))


def test_many_threads_and_files_with_few_open(tmp_path: Path) -> None:
    shards = [shard(tmp_path / f"{seed}.safetensors", seed) for seed in range(20)]
    before = len(os.listdir("/proc/self/fd"))
    most = 0

    def read(index: int) -> bool:
        nonlocal most
        ref, data = shards[index % 20]
        buffer = bytearray(100)
        reader.read_into(ref, index, memoryview(buffer))
        most = max(most, len(os.listdir("/proc/self/fd")) - before)
        return buffer == data[index : index + 100]

    with TensorReader(max_open=3) as reader, ThreadPoolExecutor(4) as executor:
        assert all(executor.map(read, range(400)))
    # three idle ones, one in use per thread, and the listings themselves
    assert most <= 3 + 4 + 4
    assert len(os.listdir("/proc/self/fd")) == before


def test_reads_beyond_4_gib(tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as stream:
        stream.seek(5 << 30)
        stream.write(b"end")
    ref = TensorRef("big", "U8", ((5 << 30) + 3,), path, 0, (5 << 30) + 3)
    buffer = bytearray(4)
    with TensorReader() as reader:
        reader.read_into(ref, (5 << 30) - 1, memoryview(buffer))
        assert buffer == b"\0end"
        with pytest.raises(CheckpointError, match=r"ends within tensor 'big'"):
            reader.read_into(replace(ref, nbytes=ref.nbytes + 1), (5 << 30) + 1, memoryview(buffer)[:3])
