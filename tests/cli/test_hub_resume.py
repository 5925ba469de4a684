"""A run that is cut off and made again: nothing that was finished is downloaded or quantized twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_hub import MODEL, User, folder, local, sha256s, user
from tests.hubserver.faults import Status, WrongBytes
from tests.hubserver.store import File

__all__ = ["folder", "user"]


def cut_off(user: User, number: int, *types: str) -> None:
    """Stop a conversion when all but its last shard is done."""
    last = last_shard(user)
    # its header has come
    user.hub.faults.add(f"cdn GET .*{last.sha256}", Status(503), first=2, count=1000)
    user.hub.log.clear()
    arguments = [argument for name in types for argument in ("-q", name)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ggufpress", "quantize", MODEL, *arguments, "-o", "out"],
        cwd=user.here, env=user.env(GGUFPRESS_HUB_PATIENCE="60"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        while len(user.hub.requests(f"{last.sha256}")) < 5 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(number)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    user.hub.faults.clear()
    assert not list(user.here.rglob("*.gguf"))


def last_shard(user: User) -> File:
    commit = user.hub.store.repositories[MODEL].find("main")
    assert commit
    return commit.files["model-00003-of-00003.safetensors"]


def shard_bytes(user: User) -> int:
    return sum(one.sent for one in user.hub.requests("cdn GET") if one.range)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_goes_on_where_it_was_cut_off(number: int, user: User, folder: Path, tmp_path: Path) -> None:
    cut_off(user, number, "Q8_0", "Q4_K_M")
    assert len(list((user.here / "out").glob("*.part.journal"))) == 2
    user.hub.log.clear()
    made = user.run("quantize", MODEL, "-q", "Q8_0", "-q", "Q4_K_M", "-o", "out", "--json")
    assert sha256s(made) == local(folder, tmp_path / "expected", "Q8_0", "Q4_K_M")
    assert json.loads(made)["unchecked"] == []
    # headers, the shard that was missing, and of the others what was not finished when the process ended
    assert shard_bytes(user) < sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert sorted(path.suffix for path in (user.here / "out").iterdir()) == [".gguf", ".gguf"]


def test_a_part_file_that_was_changed_is_made_again(user: User, folder: Path, tmp_path: Path) -> None:
    cut_off(user, signal.SIGKILL, "Q8_0")
    (part,) = (user.here / "out").glob("*.part")
    size = part.stat().st_size
    part.write_bytes(b"?" * size)
    made = user.run("quantize", MODEL, "-q", "Q8_0", "-o", "out", "--json")
    assert sha256s(made) == local(folder, tmp_path / "expected", "Q8_0")


def test_another_commit_or_a_broken_journal_begins_anew(user: User, folder: Path, tmp_path: Path) -> None:
    cut_off(user, signal.SIGKILL, "Q8_0")
    expected = local(folder, tmp_path / "expected", "Q8_0")
    user.hub.store.commit(MODEL, {"new.txt": b"another commit"})
    assert sha256s(user.run("quantize", MODEL, "-q", "Q8_0", "-o", "out", "--json")) == expected
    next(user.here.rglob("*.gguf")).unlink()
    cut_off(user, signal.SIGKILL, "Q4_0")
    (journal,) = (user.here / "out").glob("*.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:10])
    made = user.run("quantize", MODEL, "-q", "Q4_0", "-o", "out", "--json")
    assert sha256s(made) == local(folder, tmp_path / "expected", "Q4_0")


def test_wrong_bytes_leave_nothing_to_go_on_with(user: User) -> None:
    user.hub.faults.add("cdn GET", WrongBytes(200), first=5)
    user.run("quantize", MODEL, "-o", "out", code=3)
    assert not list(user.here.rglob("*.*"))
