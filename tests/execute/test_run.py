"""Whole runs: what is left behind after success, failure and interruption, and what results do not depend on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ggufpress import _native, plan, quantize
from ggufpress.errors import CheckpointError, InputError, OutputError, SpaceError, VerifyError, WeightError
from ggufpress.execute import loading, manifest, pipeline, recheck
from ggufpress.execute.partfile import PartFile
from ggufpress.execute.run import execute
from ggufpress.planning import Plan
from ggufpress.source.reading import TensorReader
from tests.tiny_checkpoints import BARD, BY_NAME, make


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(BY_NAME["Tiny-Llama-4M-Chat-v0.2"], tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(BY_NAME["mixtral-4"], tmp_path_factory.mktemp("source"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint whose weights may be damaged."""
    return make(BY_NAME["Tiny-Llama-4M-Chat-v0.2"], tmp_path / "broken")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_several_types_come_from_one_read(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[str, int, int]] = []
    original = TensorReader.read_into

    def counted(self: TensorReader, ref: Any, start: int, buffer: memoryview) -> None:
        read.append((ref.name, start, buffer.nbytes))
        original(self, ref, start, buffer)

    monkeypatch.setattr(TensorReader, "read_into", counted)
    report = quantize(tiny, ["Q4_K_M", "Q8_0", "F16", "F32"], output=tmp_path / "out")
    assert sum(nbytes for _, _, nbytes in read) == plan(tiny).model.source_bytes
    assert [file.type for file in report.files] == ["Q4_K_M", "Q8_0", "F16", "F32"]
    assert len(names(tmp_path / "out")) == 4


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("memory", [1 << 20, 64 << 20])
def test_results_do_not_depend_on_threads_or_slabs(mixed: Path, tmp_path: Path, threads: int, memory: int) -> None:
    usual = quantize(mixed, ["Q4_K_M", "Q8_0"], output=tmp_path / "a", manifest=True)
    other = quantize(mixed, ["Q4_K_M", "Q8_0"], output=tmp_path / "b", threads=threads, memory=memory, manifest=True)
    assert [file.sha256 for file in usual.files] == [file.sha256 for file in other.files]
    for left, right in zip(usual.files, other.files, strict=True):
        assert left.manifest
        assert right.manifest
        ours, theirs = json.loads(left.manifest.read_text()), json.loads(right.manifest.read_text())
        assert ours == theirs


def test_every_instruction_set_writes_the_same_file(tiny: Path, tmp_path: Path) -> None:
    best = _native.isa()
    found = set()
    try:
        for name in _native.isas():
            _native.set_isa(name)
            found.add(quantize(tiny, ["Q4_K_M"], output=tmp_path / name).files[0].sha256)
    finally:
        _native.set_isa(best)
    assert len(found) == 1


def test_memory_that_is_too_small_for_a_row_says_what_is_needed(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rows that need buffers of") as caught:
        quantize(tiny, output=tmp_path / "out", memory=4096)
    assert "--memory" in (caught.value.hint or "")
    assert names(tmp_path) == []


def test_files_that_exist_are_kept_without_force(tiny: Path, tmp_path: Path) -> None:
    target = tmp_path / "Tiny-Llama-4M-Chat-v0.2-Q8_0.gguf"
    target.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        quantize(tiny, ["Q4_K_M", "Q8_0"], output=tmp_path)
    assert names(tmp_path) == [target.name]
    assert target.read_bytes() == b"mine"
    quantize(tiny, ["Q8_0"], output=tmp_path, force=True)
    assert target.stat().st_size > 1000


def test_a_manifest_that_exists_is_found_before_the_work(tiny: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "x.gguf.manifest.json"
    manifest.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        quantize(tiny, ["Q8_0"], output=tmp_path / "x.gguf", manifest=True)
    assert names(tmp_path) == [manifest.name]


def damage(folder: Path, value: int) -> None:
    """Overwrite one BF16 weight of the first tensor by name: lm_head.weight, row 1, column 2."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    header = int.from_bytes(data[:8], "little")
    begin = json.loads(data[8 : 8 + header])["lm_head.weight"]["data_offsets"][0]
    at = 8 + header + begin + 2 * (256 + 2)
    data[at : at + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)


@pytest.mark.parametrize(("bits", "what"), [(0x7F80, "inf"), (0xFF80, "-inf"), (0x7FC0, "nan")])
def test_weights_that_are_no_numbers_are_named_and_nothing_is_left(
    broken: Path, tmp_path: Path, bits: int, what: str
) -> None:
    damage(broken, bits)
    with pytest.raises(WeightError, match=r"lm_head\.weight is not a finite number at \[1, 2\] of output\.weight"):
        quantize(broken, ["F16", "Q4_K_M"], output=tmp_path / "out")
    assert names(tmp_path / "out") == []
    report = quantize(broken, ["BF16"], output=tmp_path / "out")
    assert len(names(tmp_path / "out")) == len(report.files) == 1


def test_a_bf16_weight_too_large_for_f16_is_named(broken: Path, tmp_path: Path) -> None:
    damage(broken, 0x7F00)
    with pytest.raises(WeightError, match=r"\[1, 2\]"):
        quantize(broken, ["Q4_K_M"], output=tmp_path / "out", via="f16")
    quantize(broken, ["Q4_K_M"], output=tmp_path / "out", via="f32")


def test_a_checkpoint_that_shrinks_is_an_error(broken: Path, tmp_path: Path) -> None:
    planned = plan(broken, ["Q8_0"], output=tmp_path / "out")
    with (broken / "model.safetensors").open("r+b") as stream:
        stream.truncate(1 << 20)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        execute(planned)
    assert names(tmp_path / "out") == []


def test_a_disk_that_fills_leaves_nothing(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    original = os.pwrite

    def full(fd: int, data: Any, offset: int) -> int:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SpaceError, match="No space left on device"):
        quantize(tiny, ["Q8_0", "Q4_K_M"], output=tmp_path / "out")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "message"), [(0, "header read back"), (7, "read back are not those that were computed")]
)
def test_bytes_that_change_on_the_way_to_the_disk_are_found(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    calls = 0
    original = os.pwrite

    def flipped(fd: int, data: Any, offset: int) -> int:
        nonlocal calls
        calls += 1
        if calls == number + 1:
            data = bytearray(data)
            data[len(data) // 2] ^= 1
        return original(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", flipped)
    with pytest.raises(VerifyError, match=message):
        quantize(tiny, ["Q8_0"], output=tmp_path / "out", threads=1)
    assert names(tmp_path) == []


def test_an_interrupt_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    def interrupt(nbytes: int, tensor: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize(tiny, ["Q8_0"], output=tmp_path / "out" / "deep", progress=interrupt)
    assert names(tmp_path) == []


SLOW = """
import signal, sys, time
from ggufpress import quantize
# a test run in the background has SIGINT ignored, and its children inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
quantize(sys.argv[1], ["Q8_0"], output=sys.argv[2], force=True, progress=lambda n, t: (print("go", flush=True), time.sleep(0.2)))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_process_leaves_no_final_name_and_the_next_run_starts_clean(
    tiny: Path, tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", SLOW, str(tiny), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"go\n"
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode != 0
    part = ["Tiny-Llama-4M-Chat-v0.2-Q8_0.gguf.part"] if number is signal.SIGKILL else []
    assert names(tmp_path) == part
    report = quantize(tiny, ["Q8_0"], output=tmp_path)
    assert names(tmp_path) == [report.files[0].path.name]


def test_a_run_that_was_cut_off_between_two_names_goes_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_only(parts: Sequence[PartFile]) -> None:
        parts[0].commit()
        raise SystemExit

    def wanted() -> Plan:
        return plan(tiny, ["Q8_0", "Q4_K_M"], output=tmp_path)

    whole = execute(plan(tiny, ["Q8_0", "Q4_K_M"], output=tmp_path / "whole"))
    with monkeypatch.context() as patched:
        patched.setattr("ggufpress.execute.run.commit_together", one_only)
        with pytest.raises(SystemExit):
            execute(wanted(), manifest=True, resume=True)
    assert (tmp_path / "Tiny-Llama-4M-Chat-v0.2-Q8_0.gguf").exists()
    # what it made is no part of another run
    with pytest.raises(OutputError, match="exists already"):
        execute(plan(tiny, ["Q8_0"], output=tmp_path, token_embedding_type="F16"), manifest=True, resume=True)
    report = execute(wanted(), manifest=True, resume=True)
    assert [file.sha256 for file in report.files] == [file.sha256 for file in whole.files]
    assert not [name for name in names(tmp_path) if ".part" in name]


def test_progress_counts_every_byte_once(tiny: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    quantize(tiny, ["Q8_0"], output=tmp_path, progress=lambda nbytes, tensor: seen.append(nbytes), threads=2)
    assert sum(seen) == plan(tiny).model.source_bytes


def test_the_manifest_says_from_what_and_how(tmp_path: Path) -> None:
    (file,) = quantize(BARD, ["Q4_K_M"], output=tmp_path, manifest=True).files
    assert file.manifest
    found = json.loads(file.manifest.read_text())
    assert found["output"]["sha256"] == file.sha256
    assert found["source"]["files"]["model.safetensors"]["sha256"] == (
        hashlib.sha256((BARD / "model.safetensors").read_bytes()).hexdigest()
    )
    by_name = {tensor["name"]: tensor for tensor in found["output"]["tensors"]}
    assert by_name["output_norm.weight"]["rmse"] == 0
    assert 0 < by_name["output.weight"]["rmse"] < 0.01
    assert by_name["blk.0.attn_q.weight"]["ops"] == ["rope-permute(8 heads)"]


def test_a_manifest_that_cannot_be_made_leaves_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> None:
        raise CheckpointError(f"{path} cannot be opened")

    monkeypatch.setattr(manifest, "described", unreadable)
    with pytest.raises(CheckpointError, match="cannot be opened"):
        quantize(tiny, ["Q8_0"], output=tmp_path, manifest=True)
    assert names(tmp_path) == []


def test_a_file_that_cannot_be_read_back_is_not_kept(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(fd: int, count: int, offset: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(recheck, "_pread", fails)
    with pytest.raises(VerifyError, match="cannot be read back: input/output error"):
        quantize(tiny, ["Q8_0"], output=tmp_path)
    assert names(tmp_path) == []


def test_buffers_stay_within_the_budget(mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Counted(bytearray):
        def __init__(self, size: int) -> None:
            made.append(size)
            super().__init__(size)

    monkeypatch.setattr(pipeline, "bytearray", Counted, raising=False)
    quantize(mixed, ["Q8_0", "F16"], output=tmp_path, threads=4, memory=3 << 20)
    assert 0 < sum(made) <= 3 << 20


def test_a_slow_slab_holds_the_others_back_but_not_for_ever(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = loading.load
    waited = []

    def slow_first(reader: Any, tensor: Any, slab: Any, carve: Any) -> memoryview:
        if slab.index == 0:
            waited.append(tensor.name)
            time.sleep(0.01)
        return original(reader, tensor, slab, carve)

    monkeypatch.setattr(pipeline, "load", slow_first)
    quantize(mixed, ["Q8_0"], output=tmp_path, threads=4, memory=1 << 20)
    assert waited


def test_stream_writes_the_planned_header_first(tiny: Path, tmp_path: Path) -> None:
    planned = plan(tiny, ["Q8_0"], output=tmp_path)
    report = execute(planned)
    data = report.files[0].path.read_bytes()
    assert data.startswith(planned.outputs[0].header)
    assert len(data) == planned.outputs[0].file_bytes
    assert data[:4] == b"GGUF"
