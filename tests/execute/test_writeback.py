"""Syncing while weights flow: it goes on until the end, and a failure is never lost."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ggufpress.errors import OutputError
from ggufpress.execute import writeback
from ggufpress.execute.partfile import PartFile
from ggufpress.execute.writeback import Writeback


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writeback, "INTERVAL", 0.001)


def wait_for(calls: list[int], count: int) -> None:
    deadline = time.monotonic() + 10
    while len(calls) < count and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(calls) >= count


def test_every_part_is_synced_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fsync", calls.append)
    with PartFile(tmp_path / "a.gguf", 8) as first, PartFile(tmp_path / "b.gguf", 8) as second:
        with Writeback([first, second]):
            wait_for(calls, 4)
        assert set(calls) == {first.fd, second.fd}
        done = len(calls)
        time.sleep(0.01)
        assert len(calls) == done


def test_a_failed_sync_is_raised_at_the_end_though_later_ones_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fails_once(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails_once)
    with PartFile(tmp_path / "a.gguf", 8) as part:
        with pytest.raises(OutputError, match="Input/output error"), Writeback([part]):
            wait_for(calls, 1)
        part.sync()
    assert list(tmp_path.iterdir()) == []
