from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.arch.spec import SILENT_TOKENS
from ggufpress.gguf.values import ValueType, array
from ggufpress.planning.model import read_model
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.resolve import resolve
from tests.tiny.families import FAMILY_CASES
from tests.tiny.newest import N_SILENT
from tests.tiny_checkpoints import make


@pytest.mark.parametrize(("name", "silent"), [("minimax-01", None), ("minimax-m1", (N_SILENT // 3,))])
def test_rows_of_zeros_behind_the_tokenizers_tokens_are_named(
    name: str, silent: tuple[int, ...] | None, tmp_path: Path
) -> None:
    source = resolve(make(FAMILY_CASES[name], tmp_path))
    assert isinstance(source, Checkpoint)
    found = read_model(source).metadata.get(SILENT_TOKENS)
    assert found == (None if silent is None else array(ValueType.INT32, silent))
