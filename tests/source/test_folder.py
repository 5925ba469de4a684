from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from ggufpress.errors import CheckpointError, UnsupportedError
from ggufpress.source.folder import INDEX, open_checkpoint


def save(path: Path, *names: str) -> None:
    safetensors.numpy.save_file({name: np.zeros(2, np.float32) for name in names}, path)


def save_index(root: Path, weight_map: Mapping[str, object]) -> None:
    (root / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    return folder


def test_reads_one_file(root: Path) -> None:
    save(root / "model.safetensors", "b", "a")
    checkpoint = open_checkpoint(root)
    assert checkpoint.name == "tiny"
    assert checkpoint.config == {"architectures": ["LlamaForCausalLM"]}
    assert list(checkpoint.tensors) == ["a", "b"]
    assert checkpoint.tensors["a"].file == root / "model.safetensors"


def test_without_an_index_reads_model_files_by_name(root: Path) -> None:
    save(root / "model-00002-of-00002.safetensors", "a", "d")
    save(root / "model-00001-of-00002.safetensors", "c", "b")
    save(root / "consolidated.safetensors", "a")
    assert list(open_checkpoint(root).tensors) == ["b", "c", "a", "d"]


def test_with_an_index_reads_its_files_only(root: Path) -> None:
    save(root / "model-a.safetensors", "b")
    save(root / "model.fp16.safetensors", "b")
    save(root / "other.safetensors", "a")
    save_index(root, {"a": "other.safetensors", "b": "model-a.safetensors"})
    assert list(open_checkpoint(root).tensors) == ["b", "a"]


def test_follows_links_as_the_hub_cache_has_them(root: Path, tmp_path: Path) -> None:
    save(tmp_path / "blob", "a")
    (root / "model.safetensors").symlink_to(tmp_path / "blob")
    assert list(open_checkpoint(root).tensors) == ["a"]
    (tmp_path / "blob").unlink()
    with pytest.raises(CheckpointError, match=r"model.safetensors is a link to a file that does not exist"):
        open_checkpoint(root)


def test_names_missing_files(root: Path) -> None:
    save(root / "model-1.safetensors", "a")
    save_index(root, {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-2.safetensors"})
    with pytest.raises(
        CheckpointError, match=r"1 of the 2 files named in .* are missing: 'model-2.safetensors'"
    ) as caught:
        open_checkpoint(root)
    assert caught.value.hint


def test_index_and_files_must_agree(root: Path) -> None:
    save(root / "model-1.safetensors", "a", "b")
    save_index(root, {"a": "model-1.safetensors"})
    with pytest.raises(CheckpointError, match=r"1 tensors are not in .*: 'b' \(model-1.safetensors\)"):
        open_checkpoint(root)
    save_index(root, {name: "model-1.safetensors" for name in "abcdefghij"})
    with pytest.raises(CheckpointError, match=r"8 tensors of .* are not in its files: 'c' \(.*\), .* and 3 more"):
        open_checkpoint(root)


def test_a_tensor_in_two_files_is_an_error(root: Path) -> None:
    save(root / "model.safetensors", "a")
    save(root / "model.fp16.safetensors", "a")
    with pytest.raises(CheckpointError, match=r"'a' is in both model.fp16.safetensors and model.safetensors"):
        open_checkpoint(root)


def test_never_opens_a_pickle(root: Path) -> None:
    (root / "pytorch_model-00001-of-00002.bin").write_bytes(b"\x80\x02.")
    with pytest.raises(UnsupportedError, match=r"pytorch_model-00001-of-00002.bin, a pickle") as caught:
        open_checkpoint(root)
    assert "safetensors" in (caught.value.hint or "")


def test_says_when_only_other_safetensors_are_there(root: Path) -> None:
    save(root / "consolidated.safetensors", "a")
    with pytest.raises(UnsupportedError, match=r"other names such as consolidated.safetensors are not read"):
        open_checkpoint(root)


def test_says_when_there_are_no_weights(root: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tiny has no model\*.safetensors"):
        open_checkpoint(root)
    safetensors.numpy.save_file({}, root / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"hold no tensor"):
        open_checkpoint(root)


@pytest.mark.parametrize("config", ["[]", "null", '"a"', "{", "", "[" * 100_000, '{"a": ' + "1" * 5000 + "}", "\ud800"])
def test_config_must_be_an_object(root: Path, config: str) -> None:
    (root / "config.json").write_bytes(config.encode("utf-8", "surrogatepass"))
    save(root / "model.safetensors", "a")
    with pytest.raises(CheckpointError, match=r"config.json"):
        open_checkpoint(root)


def test_says_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is empty"):
        open_checkpoint(tmp_path)
    (tmp_path / "README.md").write_text("hello")
    with pytest.raises(CheckpointError, match=r"config.json is missing"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match=r"is not a folder"):
        open_checkpoint(tmp_path / "README.md")
    with pytest.raises(CheckpointError, match=r"does not exist"):
        open_checkpoint(tmp_path / "nowhere")
    (tmp_path / "config.json").mkdir()
    with pytest.raises(CheckpointError, match=r"config.json is a folder, not a regular file"):
        open_checkpoint(tmp_path)


def test_does_not_wait_for_a_named_pipe(root: Path) -> None:
    os.mkfifo(root / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"is a named pipe"):
        open_checkpoint(root)
