"""Checkpoints of every kind, from the Hub and from a folder: the same bytes, and every file of weights checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.execute.run import execute
from ggufpress.hub.address import HubAddress
from ggufpress.hub.source import open_on_hub
from ggufpress.planning import build_plan
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.folder import open_checkpoint
from tests.hub.conftest import Connect
from tests.hubserver.faults import Drop, Reset, Status
from tests.hubserver.server import HubServer
from tests.hubserver.store import add_folder
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import make

NAMES = sorted(FAMILY_CASES)
# one in twenty, and one with weights beside the model
SOME = {*NAMES[::20], "lfm2-dense-behind"}


def digests(source: Checkpoint, out: Path) -> tuple[list[str], tuple[str, ...]]:
    report = execute(build_plan(source, ["AUTO"], output=out / "made.gguf"))
    return [file.sha256 for file in report.files], report.unchecked


@pytest.mark.parametrize(
    "name", [name if name in SOME else pytest.param(name, marks=pytest.mark.full) for name in NAMES]
)
def test_the_same_bytes_as_from_a_folder(name: str, hub: HubServer, connect: Connect, tmp_path: Path) -> None:
    folder = make(FAMILY_CASES[name], tmp_path)
    add_folder(hub.store, f"org/{folder.name}", folder)
    hub.faults.storm("cdn GET", 1, 0.2, [Drop(1000), Reset(), Status(503)], limit=5)
    remote, unchecked = digests(open_on_hub(connect(limit=5.0), HubAddress(f"org/{folder.name}")), tmp_path / "remote")
    assert remote == digests(open_checkpoint(folder), tmp_path / "local")[0]
    assert unchecked == ()
