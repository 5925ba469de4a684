from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ggufpress.errors import OutputError, SpaceError
from ggufpress.execute.partfile import PartFile, check_space, commit_together


def test_a_committed_file_is_whole_and_alone(tmp_path: Path) -> None:
    with PartFile(tmp_path / "a.gguf", 6) as part:
        part.reserve()
        part.write_at(3, b"def")
        part.write_at(0, memoryview(b"abc"))
        assert not (tmp_path / "a.gguf").exists()
        part.sync()
        part.commit()
    assert [p.name for p in tmp_path.iterdir()] == ["a.gguf"]
    assert (tmp_path / "a.gguf").read_bytes() == b"abcdef"


def test_nothing_stays_without_commit(tmp_path: Path) -> None:
    with PartFile(tmp_path / "a.gguf", 6) as part:
        part.reserve()
        part.write_at(0, b"abc")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    final = tmp_path / "a.gguf"
    final.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        PartFile(final, 3)
    assert final.read_bytes() == b"old"
    with PartFile(final, 3, force=True) as part:
        part.write_at(0, b"new")
        assert final.read_bytes() == b"old"
        part.commit()
    assert final.read_bytes() == b"new"


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    final = tmp_path / "a.gguf"
    with PartFile(final, 3) as part:
        part.write_at(0, b"new")
        final.write_bytes(b"other")
        with pytest.raises(OutputError, match="appeared while"):
            part.commit()
    assert final.read_bytes() == b"other"
    assert [p.name for p in tmp_path.iterdir()] == ["a.gguf"]


def test_the_rest_of_a_killed_run_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.gguf.part").write_bytes(b"x" * 1000)
    with PartFile(tmp_path / "a.gguf", 3) as part:
        part.reserve()
        part.write_at(0, b"new")
        part.commit()
    assert (tmp_path / "a.gguf").read_bytes() == b"new"


def test_two_runs_cannot_write_the_same_file(tmp_path: Path) -> None:
    with PartFile(tmp_path / "a.gguf", 3) as first:
        with pytest.raises(OutputError, match="another process"):
            PartFile(tmp_path / "a.gguf", 3)
        first.write_at(0, b"abc")
        first.commit()
    assert (tmp_path / "a.gguf").read_bytes() == b"abc"


def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "a.gguf.part").symlink_to(victim)
    with pytest.raises(OutputError, match="cannot be written"):
        PartFile(tmp_path / "a.gguf", 3)
    assert victim.read_bytes() == b"precious"


def test_folders_and_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        PartFile(tmp_path, 3)
    with pytest.raises(OutputError, match=r"nowhere/a\.gguf\.part cannot be written"):
        PartFile(tmp_path / "nowhere" / "a.gguf", 3)


def test_space_is_checked_for_all_files_together(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    size = free * 2 // 3
    with PartFile(tmp_path / "a", size) as a, PartFile(tmp_path / "b", size) as b:
        check_space([a])
        with pytest.raises(SpaceError, match="bytes free, the outputs need") as caught:
            check_space([a, b])
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("call", ["reserve", "write", "sync"])
def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with PartFile(tmp_path / "a", 10) as part:
        monkeypatch.setattr(os, {"reserve": "posix_fallocate", "write": "pwrite", "sync": "fsync"}[call], full)
        with pytest.raises(SpaceError, match="no space for 10 bytes"):
            part.reserve() if call == "reserve" else part.write_at(0, b"x") if call == "write" else part.sync()
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_set_appear_together_the_first_one_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    commit = PartFile.commit

    def noted(part: PartFile) -> None:
        order.append(part.final.name)
        commit(part)

    monkeypatch.setattr(PartFile, "commit", noted)
    parts = [PartFile(tmp_path / name, 1) for name in ("a", "b", "c")]
    commit_together(parts)
    assert order == ["c", "b", "a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_set_that_cannot_be_complete_does_not_appear(tmp_path: Path) -> None:
    parts = [PartFile(tmp_path / name, 1) for name in ("a", "b", "c")]
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(OutputError, match="a appeared while"):
        commit_together(parts)
    for part in parts:
        part.close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"other"}
