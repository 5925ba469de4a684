"""Splitting, merging and GGUF sources on the command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from ggufpress import merge, split
from ggufpress.cli.main import main
from ggufpress.gguf.values import u32
from ggufpress.quant.types import F16, Q8_0
from tests.made_gguf import make_gguf
from tests.tiny_checkpoints import BY_NAME, make


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Call the command line in a folder with `m.gguf`; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    tensors = [(f"blk.{i}.ffn_up.weight", (32, 256), F16) for i in range(7)]
    make_gguf(tmp_path / "m.gguf", tensors, {"llama.block_count": u32(7)})

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(int(caught.value.code or 0), captured.out, captured.err)

    return call


def test_split_and_merge_give_the_file_back(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run("split", "m.gguf", "--split-max-tensors", 3)
    assert done.code == 0
    assert "m-00003-of-00003.gguf" in done.out
    assert "verified and done" in done.err
    (tmp_path / "m.gguf").rename(tmp_path / "original.gguf")
    assert run("merge", "m-00002-of-00003.gguf", "--quiet").out == "m.gguf\n"
    assert (tmp_path / "m.gguf").read_bytes() == (tmp_path / "original.gguf").read_bytes()
    kept = json.loads(run("merge", "m-00001-of-00003.gguf", "--keep-split-keys", "-o", "k.gguf", "--json").out)
    assert kept["files"][0]["sha256"] == hashlib.sha256((tmp_path / "k.gguf").read_bytes()).hexdigest()
    assert "split.count" in run("inspect", "k.gguf").out


def test_split_says_what_it_would_do(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    planned = run("split", "m.gguf", "--split-max-size", "1M", "--dry-run", "--quiet")
    assert planned.out.startswith("m-00001-of-00001.gguf\t")
    assert "m-00001-of-00007.gguf" in run("split", "m.gguf", "--split-max-tensors", 1, "--dry-run").out
    found = json.loads(run("split", "m.gguf", "--split-max-tensors", 5, "--dry-run", "--json").out)
    assert [len(file["tensors"]) for file in found["files"]] == [5, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


def test_outputs_are_named_after_what_is_asked_for(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "out").mkdir()
    for output, name in (
        ("out", "out/m-00001-of-00001.gguf"),
        ("x.gguf", "x-00001-of-00001.gguf"),
        ("y", "y-00001-of-00001.gguf"),
    ):
        assert run("split", "m.gguf", "-o", output, "--quiet").out == f"{name}\n"
    run("split", "m.gguf", "--split-max-tensors", 4, "-o", "out/z", "--quiet")
    assert run("merge", "out/z-00001-of-00002.gguf", "-o", "out", "--quiet").out == "out/z.gguf\n"


def test_the_api_has_the_same_verbs(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    report = split(tmp_path / "m.gguf", output=tmp_path / "s", split_max_tensors=2, no_tensor_first_split=True)
    assert [file.n_tensors for file in report.files] == [0, 2, 2, 2, 1]
    (merged,) = merge(report.files[3].path, output=tmp_path / "o.gguf").files
    assert merged.path.read_bytes() == (tmp_path / "m.gguf").read_bytes()


def test_a_shard_is_described_and_the_set_is_verified(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("split", "m.gguf", "--split-max-tensors", 3, "--quiet")
    assert (
        "shard 2 of 3 of a model with 7 tensors; the first shard has its metadata"
        in run("inspect", "m-00002-of-00003.gguf").out
    )
    assert json.loads(run("inspect", "m-00001-of-00003.gguf", "--json").out)["shard"] == {
        "number": 1, "of": 3, "tensors_in_all": 7,
    }  # fmt: skip
    assert "ok: 3 shards, 7 tensors" in run("verify", "m-00002-of-00003.gguf", "--against", "m.gguf").err
    path = tmp_path / "m-00003-of-00003.gguf"
    path.write_bytes(path.read_bytes()[:-2] + b"\xff\x7f")
    done = run("verify", "m-00001-of-00003.gguf")
    assert done.code == 1
    assert (
        "blk.6.ffn_up.weight: 1 of 8,192 weights are NaN or infinite, the first is number 8,191 (in m-00003" in done.out
    )
    path.unlink()
    assert run("verify", "m-00001-of-00003.gguf").code == 3


def test_a_gguf_file_is_quantized(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = run(
        "quantize", "m.gguf", "-q", "Q8_0", "-q", "Q4_0", "-o", "out", "--split-max-tensors", 5, "--prune-layers", "0,6"
    )
    assert done.code == 0
    assert "m: llama, 41 k weights -> Q8_0" in done.err
    assert "note: layers left out: 0,6; 5 stay" in done.err.replace("0, 6", "0,6")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "m-Q4_0-00001-of-00001.gguf",
        "m-Q8_0-00001-of-00001.gguf",
    ]
    planned = run("plan", "m.gguf", "-q", "Q8_0", "--split-max-tensors", 4, "--override-kv", "general.name=str:mine")
    assert "2 shards" in planned.out
    assert "as llama-quantize makes it from m.gguf" in planned.out
    assert run("plan", "m.gguf", "-q", "Q8_0", "--split-max-tensors", 4, "--quiet").out.count("\n") == 2


def test_requantizing_is_asked_for(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make_gguf(tmp_path / "q.gguf", [("blk.0.ffn_up.weight", (32, 256), Q8_0)], {"llama.block_count": u32(1)})
    refused = run("quantize", "q.gguf", "-q", "Q4_K_M")
    assert (refused.code, refused.out) == (2, "")
    assert "1 tensors are quantized already" in refused.err
    assert "--allow-requantize" in refused.err
    assert run("quantize", "q.gguf", "-q", "Q4_K_M", "--allow-requantize", "--quiet").out == "q-Q4_K_M.gguf\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["split", "nowhere.gguf"], 3, "nowhere.gguf is missing"),
        (["split", "m.gguf", "--split-max-size", "5K"], 2, "is no size"),
        (["split", "m.gguf", "--split-max-size", "1M", "--split-max-tensors", "3"], 2, "exclude each other"),
        (["split", "m.gguf", "-o", "no/where"], 1, "no/where-00001-of-00001.gguf.part cannot be written"),
        (["merge", "m.gguf"], 2, "m.gguf is a whole GGUF file"),
        (["quantize", "m.gguf", "--override-kv", "x"], 2, "is not KEY=TYPE:VALUE"),
        (["quantize", "m.gguf", "--layout", "convert", "-q", "F16"], 2, "this source is a GGUF file"),
        (["quantize", "m.gguf", "-q", "COPY", "-o", "m.gguf", "--force"], 2, "is read and cannot be written"),
        (["plan", "m.gguf", "--prune-layers", "7"], 2, "there is no layer 7: they are 0 to 6"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(run, arguments: list[object], code: int, message: str) -> None:  # type: ignore[no-untyped-def]
    done = run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err


def test_keys_and_layers_of_a_checkpoint_need_llama_quantize(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = make(BY_NAME["deep-gqa"], tmp_path)
    done = run("plan", folder, "-q", "F16", "--layout", "convert", "--prune-layers", "1")
    assert (done.code, done.out) == (2, "")
    assert "it neither sets keys nor prunes layers" in done.err
    assert (
        json.loads(run("plan", folder, "-q", "F16", "--prune-layers", "1", "--json").out)["outputs"][0]["layout"]
        == "quantize"
    )
    assert run("plan", folder, "--keep-split").code == 2
