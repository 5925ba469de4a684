from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from ggufpress.errors import CheckpointError, GgufError, HubError, UsageError
from ggufpress.gguf.shards import GgufSet
from ggufpress.quant.types import F32
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.resolve import resolve
from tests.made_gguf import make_gguf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "org" / "tiny-model"
    root.mkdir(parents=True)
    (root / "config.json").write_text("{}")
    safetensors.numpy.save_file({"a": np.zeros(2, np.float32)}, root / "model.safetensors")
    return root


def test_a_folder_is_a_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(folder).name == "tiny-model"
    found = resolve(f"{folder}/")
    assert isinstance(found, Checkpoint)
    assert found.root == folder
    monkeypatch.chdir(folder.parent.parent)
    assert list(resolve("org/tiny-model").tensors) == ["a"]
    monkeypatch.chdir(folder)
    assert resolve(".").name == "tiny-model"


@pytest.mark.parametrize(
    "source",
    [
        "meta-llama/Llama-3.2-1B",
        "hf://meta-llama/Llama-3.2-1B",
        "https://huggingface.co/meta-llama/Llama-3.2-1B/tree/main",
    ],
)
def test_what_is_not_here_is_looked_for_on_the_hub(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # no Hub listens where the tests let the library look for one
    monkeypatch.setenv("GGUFPRESS_HUB_PATIENCE", "0")
    with pytest.raises(HubError, match=r"http://127.0.0.1:9 cannot be reached"):
        resolve(source)


@pytest.mark.parametrize("source", ["https://example.com/model.zip", "hf://", "hf://../.."])
def test_refuses_other_addresses(source: str) -> None:
    with pytest.raises(UsageError):
        resolve(source)


def test_a_folder_has_no_revision_and_a_source_one(folder: Path) -> None:
    with pytest.raises(UsageError, match="is for sources on the Hub"):
        resolve(folder, revision="main")
    with pytest.raises(UsageError, match="two revisions"):
        resolve("org/name@v1", revision="v2")


@pytest.mark.parametrize("source", ["", "nowhere", "./no/where", "a/b/c", "/no\0where", "x" * 5000, "../a/b"])
def test_says_that_a_path_does_not_exist(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        resolve(source)


def test_says_that_a_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model.safetensors is a file") as caught:
        resolve(folder / "model.safetensors")
    assert str(folder) in (caught.value.hint or "")


def test_a_gguf_file_is_a_source_and_a_broken_one_says_so(folder: Path) -> None:
    path = make_gguf(folder / "model.gguf", [("a", (2,), F32)])
    found = resolve(path)
    assert isinstance(found, GgufSet)
    assert (found.name, [ref.name for ref in found.tensors]) == ("model", ["a"])
    path.write_bytes(b"GGUF")
    with pytest.raises(GgufError, match=r"model\.gguf ends within its version"):
        resolve(path)
