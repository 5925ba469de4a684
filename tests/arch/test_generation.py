from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.arch.generation import FILE, generation_metadata
from ggufpress.errors import CheckpointError
from ggufpress.gguf.values import ValueType, array
from ggufpress.source.checkpoint import Checkpoint

KEYS = (("a.key", "suppress_tokens"),)


def checkpoint(folder: Path, text: str | None) -> Checkpoint:
    if text is not None:
        (folder / FILE).write_text(text)
    return Checkpoint(folder, {}, {})


@pytest.mark.parametrize(("text", "found"), [
    ('{"suppress_tokens": [3, 1]}', (("a.key", array(ValueType.INT32, (3, 1))),)), ('{"suppress_tokens": []}', ()),
    ('{"suppress_tokens": null}', ()), ("{}", ()), (None, ()),
])  # fmt: skip
def test_what_the_file_says_becomes_a_key(text: str | None, found: object, tmp_path: Path) -> None:
    assert generation_metadata(checkpoint(tmp_path, text), KEYS) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "is no object"),
        ('{"suppress_tokens": [-1]}', "suppress_tokens is"),
        ('{"suppress_tokens": 1}', "a list of"),
    ],
)
def test_what_is_no_list_of_tokens_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"{FILE}.*{message}"):
        generation_metadata(checkpoint(tmp_path, text), KEYS)
