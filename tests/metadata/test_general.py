"""Every recorded card, config and folder name gives the reference's keys, order, types and values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ggufpress.errors import CheckpointError, ConfigError
from ggufpress.gguf.values import Value, ValueType
from ggufpress.metadata import ParameterCounts, general_metadata
from ggufpress.source.checkpoint import Checkpoint

DATA = Path(__file__).parent.parent / "data" / "metadata"
CASES: dict[str, dict[str, Any]] = json.loads((DATA / "cases.json").read_text(encoding="utf-8"))
COUNTS = [ParameterCounts(*counts) for counts in CASES.pop("counts")]


def checkpoint(root: Path, files: dict[str, Any]) -> Checkpoint:
    root.mkdir()
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (root / name).write_text(text, encoding="utf-8")
    return Checkpoint(root, files.get("config.json", {}), {})


def plain(value: Value) -> Any:
    return list(value.data) if isinstance(value.data, tuple) else value.data


@pytest.mark.parametrize("name", CASES)
def test_equals_the_reference(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    source = checkpoint(tmp_path / case["folder"], case["files"])
    for counts, expected in zip(COUNTS, case["expected"], strict=True):
        if isinstance(expected, str):
            with pytest.raises(CheckpointError, match=r"README|generation_config"):
                general_metadata(source, counts)
        else:
            found = [[key, int(value.type), plain(value)] for key, value in general_metadata(source, counts)]
            assert found == expected


def test_type_comes_first_and_sampling_before_the_name(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "Some-7b", {"generation_config.json": {"top_k": 5}})
    keys = [key for key, _ in general_metadata(source, COUNTS[0])]
    assert keys[:3] == ["general.type", "general.sampling.top_k", "general.name"]


@pytest.mark.parametrize("value", [5, ["a"], True])
def test_name_or_path_of_another_type(value: Any, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "x", {"config.json": {"_name_or_path": value}})
    with pytest.raises(ConfigError, match=r"config\.json: _name_or_path must be a string"):
        general_metadata(source, COUNTS[0])


def test_message_names_file_and_key_and_gives_a_hint(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "x", {"README.md": "---\nversion: 1.10\n---\n"})
    with pytest.raises(CheckpointError, match=r"x/README\.md: version is 1\.1, but must be text") as caught:
        general_metadata(source, COUNTS[0])
    assert caught.value.hint == "write it in quotes"


def test_endless_values_are_not_written_out(tmp_path: Path) -> None:
    levels = "".join(f"l{i}: &l{i} [*l{i - 1}, *l{i - 1}]\n" for i in range(1, 60))
    source = checkpoint(tmp_path / "x", {"README.md": f"---\nl0: &l0 [a]\n{levels}name: *l59\n---\n"})
    with pytest.raises(CheckpointError, match="name is a list, but must be text"):
        general_metadata(source, COUNTS[0])


def test_endless_numbers_are_not_written_out(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "x", {"README.md": f"---\nversion: 0x{'F' * 4200}\n---\n"})
    with pytest.raises(CheckpointError, match="version is a number of thousands of digits, but must be text"):
        general_metadata(source, COUNTS[0])


@pytest.mark.parametrize("tags", ["[[a]]", "[{a: b}]", "[null]", "[2024-01-01]", "[a, 1]", "[9999999999]"])
def test_tags_of_odd_types(tags: str, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "x", {"README.md": f"---\ntags: {tags}\n---\n"})
    with pytest.raises(CheckpointError, match=r"README\.md: tags"):
        general_metadata(source, COUNTS[0])


def test_binary_text_is_kept(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "x", {"README.md": "---\nname: !!binary aGVsbG8=\n---\n"})
    assert dict(general_metadata(source, COUNTS[0]))["general.name"] == Value(ValueType.STRING, b"hello")


@pytest.mark.parametrize(
    ("key", "value"),
    [("top_k", 1.5), ("top_k", 1 << 31), ("temperature", "hot"), ("temperature", 1e39), ("sequence", 5)],
)
def test_sampling_of_odd_types(key: str, value: Any, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "x", {"generation_config.json": {key: value}})
    with pytest.raises(CheckpointError, match=re.escape(f"generation_config.json: {key} is {value}")):
        general_metadata(source, COUNTS[0])
