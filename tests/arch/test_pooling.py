"""Where the pooling module's config is looked for; the cases of test_families.py compare its keys with the reference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ggufpress.arch.pooling import pooling_metadata
from ggufpress.errors import CheckpointError
from ggufpress.gguf.values import u32
from ggufpress.source.checkpoint import Checkpoint


def module_at(root: Path, path: object) -> Checkpoint:
    (root / "modules.json").write_text(json.dumps([{"type": "models.Pooling", "path": path}]))
    return Checkpoint(root, {}, {})


def test_a_module_without_a_folder_is_described_by_the_checkpoints_own_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"pooling_mode": "cls"}')
    assert pooling_metadata(module_at(tmp_path, ""), "x") == (("x.pooling_type", u32(2)),)


@pytest.mark.parametrize("path", ["/", "/etc", "..", "1_Pooling/../..", 5, None])
def test_a_module_outside_of_the_checkpoint_is_refused(path: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a folder beside it was expected"):
        pooling_metadata(module_at(tmp_path, path), "x")
