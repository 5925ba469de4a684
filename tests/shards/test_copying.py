from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from ggufpress.errors import GgufError, OutputError, SpaceError, UsageError, VerifyError
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.proof.report import verify_file
from ggufpress.quant.types import F32
from ggufpress.shards.copying import copy
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import SplitPlan, plan_merge, plan_split
from tests.made_gguf import make_gguf
from tests.shards.cases import CASES, SplitCase
from tests.traced_memory import memory_within

EXPECTED = json.loads((Path(__file__).parent.parent / "data/expected/shards.json").read_text())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def planned(case: SplitCase, source: Path, prefix: Path) -> SplitPlan:
    options = dict(zip(case.options[0::2], case.options[1::2], strict=False))
    tensors = options.get("--split-max-tensors")
    first = "--no-tensor-first-split" not in case.options
    limits = split_limits(options.get("--split-max-size"), int(tensors) if tensors else None, first)
    return plan_split(read_gguf_set(source), prefix, limits)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_shards_are_those_of_gguf_split_and_merging_gives_the_file_back(case: SplitCase, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    expected = EXPECTED[case.name]
    assert sha256(source) == expected["source"]
    report = copy(planned(case, source, tmp_path / "s"))
    assert {file.path.name: file.sha256 for file in report.files} == expected["shards"]
    assert {path.name: sha256(path) for path in tmp_path.glob("s-*")} == expected["shards"]
    assert all(verify_file(file.path).faults == () for file in report.files if file.n_tensors)

    if len(report.files) > 1:
        shards = read_gguf_set(report.files[-1].path)
        merged = copy(plan_merge(shards, tmp_path / "merged.gguf"))
        assert (merged.files[0].sha256 == expected["source"]) == case.round_trip
        if expected["merged"]:
            kept = copy(plan_merge(shards, tmp_path / "kept.gguf", keep_split_keys=True))
            assert kept.files[0].sha256 == expected["merged"]


@pytest.mark.parametrize("alignment", [1, 8, 16, 64, 256, 4096])
def test_any_alignment_survives_splitting_and_merging(alignment: int, tmp_path: Path) -> None:
    case = SplitCase("aligned", ("--split-max-tensors", "3"), alignment=alignment)
    source = case.make(tmp_path)
    shards = copy(planned(case, source, tmp_path / "s")).files
    assert all(verify_file(shard.path).faults == () for shard in shards)
    merged = copy(plan_merge(read_gguf_set(shards[0].path), tmp_path / "merged.gguf"))
    assert merged.files[0].path.read_bytes() == source.read_bytes()


def test_a_set_is_cut_anew(tmp_path: Path) -> None:
    source = CASES[0].make(tmp_path)
    by_five, by_nine = split_limits(max_tensors=5), split_limits(max_tensors=9)
    first = copy(plan_split(read_gguf_set(source), tmp_path / "five", by_five)).files[0]
    again = copy(plan_split(read_gguf_set(first.path), tmp_path / "nine", by_nine))
    direct = copy(plan_split(read_gguf_set(source), tmp_path / "direct", by_nine))
    assert [file.sha256 for file in again.files] == [file.sha256 for file in direct.files]


def split_of(tmp_path: Path, n_tensors: int = 6, cols: int = 64) -> SplitPlan:
    source = make_gguf(tmp_path / "m.gguf", [(f"t{i}", (cols,), F32) for i in range(n_tensors)])
    (tmp_path / "out").mkdir()
    return plan_split(read_gguf_set(source), tmp_path / "out/s", split_limits(max_tensors=2))


def test_nothing_is_visible_before_all_is_written(tmp_path: Path) -> None:
    plan = split_of(tmp_path)
    seen: list[list[str]] = []
    copy(plan, progress=lambda nbytes, name: seen.append([p.name for p in (tmp_path / "out").glob("*.gguf")]))
    assert len(seen) == 6
    assert not any(seen)
    assert len(list((tmp_path / "out").glob("*.gguf"))) == 3


def test_an_existing_shard_is_kept_without_force(tmp_path: Path) -> None:
    plan = split_of(tmp_path)
    plan.files[1].path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"s-00002-of-00003\.gguf exists already"):
        copy(plan)
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [b"old"]
    copy(plan, force=True)
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_shard_that_appears_meanwhile_leaves_no_part_of_the_set(tmp_path: Path) -> None:
    plan = split_of(tmp_path)

    def appear(nbytes: int, name: str) -> None:
        plan.files[0].path.write_bytes(b"other")

    with pytest.raises(OutputError, match=r"s-00001-of-00003\.gguf appeared"):
        copy(plan, progress=appear)
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [b"other"]


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    plan = split_of(tmp_path)

    def interrupt(nbytes: int, name: str) -> None:
        if name == "t3":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(plan, progress=interrupt)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_noticed_before_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = split_of(tmp_path)
    real = os.fstatvfs

    def nearly_full(fd: int) -> os.statvfs_result:
        values = list(real(fd))
        values[4] = 0
        return os.statvfs_result(values)

    monkeypatch.setattr(os, "fstatvfs", nearly_full)
    with pytest.raises(SpaceError, match="has 0 bytes free"):
        copy(plan, progress=lambda *_: pytest.fail("copied"))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_forgets_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = split_of(tmp_path)
    real = os.preadv

    def flips(fd: int, buffers: list[memoryview], offset: int) -> int:
        count = real(fd, buffers, offset)
        if os.readlink(f"/proc/self/fd/{fd}").endswith("s-00002-of-00003.gguf.part"):
            buffers[0][0] ^= 1
        return count

    monkeypatch.setattr(os, "preadv", flips)
    with pytest.raises(VerifyError, match="t2 read back are not those"):
        copy(plan)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_source_that_changes_is_noticed(tmp_path: Path) -> None:
    plan = split_of(tmp_path)
    make_gguf(tmp_path / "m.gguf", [(f"t{i}", (65,), F32) for i in range(6)])
    with pytest.raises(GgufError, match="has changed"):
        copy(plan)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_source_is_never_replaced(tmp_path: Path) -> None:
    plan = split_of(tmp_path)
    first = copy(plan).files[0].path
    with pytest.raises(UsageError, match="is read and cannot be written"):
        plan_split(read_gguf_set(first), tmp_path / "out/s", split_limits(max_tensors=2))
    with pytest.raises(UsageError, match="is read and cannot be written"):
        plan_merge(read_gguf_set(first), first)


def test_memory_does_not_depend_on_the_model(tmp_path: Path) -> None:
    source = make_gguf(tmp_path / "m.gguf", [("a", (16 << 20,), F32), ("b", (1,), F32)], sparse=True)
    plan = plan_split(read_gguf_set(source), tmp_path / "s", split_limits(max_tensors=1))
    with memory_within(8 << 20):
        copy(plan)
    assert sum(path.stat().st_size for path in tmp_path.glob("s-*")) > 64 << 20


def test_more_shards_than_files_may_be_open(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    plan = split_of(tmp_path, n_tensors=300, cols=1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        assert len(copy(plan).files) == 150
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
