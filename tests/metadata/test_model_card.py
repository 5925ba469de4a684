from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.errors import CheckpointError
from ggufpress.metadata import model_card
from ggufpress.metadata.model_card import read_model_card
from ggufpress.source.checkpoint import Checkpoint


def card(root: Path, front_matter: str) -> Checkpoint:
    (root / "README.md").write_bytes(f"---\n{front_matter}\n---\n# Title\n".encode())
    return Checkpoint(root, {}, {})


def test_no_card(tmp_path: Path) -> None:
    assert read_model_card(Checkpoint(tmp_path, {}, {})) == {}


def test_norwegian_is_a_language(tmp_path: Path) -> None:
    assert read_model_card(card(tmp_path, "language:\n- en\n- no\n- yes")) == {"language": ["en", "no", True]}


@pytest.mark.parametrize(
    "front_matter",
    [
        "a: [",
        "a: b: c",
        "a: !!python/object/apply:os.system ['true']",
        "? {a: b}\n: c",
        "a: 2024-13-45",
        "a: " + "9" * 5000,
        "a: 1" + ":59" * 3000,
        "a: " + "[" * 5000,
        "a: 'x\x00'",
    ],
)
def test_what_is_not_plain_yaml(front_matter: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"README\.md has front matter that is not YAML") as caught:
        read_model_card(card(tmp_path, front_matter))
    assert caught.value.hint


def test_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="at line 3: mapping values are not allowed here"):
        read_model_card(card(tmp_path, "a: b\nc: d: e"))


def test_merge_keys_do_not_explode(tmp_path: Path) -> None:
    base = "base: &b {" + ", ".join(f"k{i}: 1" for i in range(1000)) + "}\n"
    for merges in ("many: [" + "{<<: *b}, " * 1000 + "]", "one: {<<: [" + "*b, " * 1000 + "]}"):
        with pytest.raises(CheckpointError, match="more than 200,000 keys"):
            read_model_card(card(tmp_path, base + merges + "\n"))


def test_merged_keys_are_read(tmp_path: Path) -> None:
    assert read_model_card(card(tmp_path, "a: &a {k: 1}\nb: {<<: [*a, *a], l: 2}\n"))["b"] == {"k": 1, "l": 2}


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_card, "MAX_FRONT_MATTER", 50)
    with pytest.raises(CheckpointError, match="front matter of 64 characters"):
        read_model_card(card(tmp_path, "a: " + "b" * 60))
    monkeypatch.setattr(model_card, "MAX_CARD_BYTES", 20)
    with pytest.raises(CheckpointError, match="has 80 bytes"):
        read_model_card(card(tmp_path, "a: " + "b" * 60))


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(CheckpointError, match=r"README\.md"):
        read_model_card(Checkpoint(tmp_path, {}, {}))
