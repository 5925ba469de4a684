"""A file checked against its manifest, as after a download."""

from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress import VerifyReport, quantize, verify
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.values import text
from tests.comparison.files import rewritten
from tests.tiny_checkpoints import BARD


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    quantize(BARD, ["Q4_K_M"], output=folder / "a.gguf", manifest=True)
    quantize(BARD, ["Q8_0"], output=folder / "s.gguf", manifest=True, split_max_tensors=10)
    return folder


def checked(file: Path, made: Path, name: str = "a") -> VerifyReport:
    return verify(file, manifest=made / f"{name}.gguf.manifest.json")


def faults(report: VerifyReport) -> list[str]:
    return [str(fault) for fault in report.faults]


def test_the_file_itself_whatever_it_is_called(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "downloaded.gguf"
    path.write_bytes((made / "a.gguf").read_bytes())
    report = checked(path, made)
    assert report.ok
    assert report.to_json()["manifest"].endswith("a.gguf.manifest.json")
    assert checked(made / "s-00002-of-00004.gguf", made, "s").ok


@pytest.mark.parametrize("name", ["token_embd.weight", "blk.3.ffn_up.weight", "output_norm.weight"])
def test_one_bit_of_one_tensor(made: Path, tmp_path: Path, name: str) -> None:
    tensor = next(t for t in read_gguf(made / "a.gguf").tensors if t.name == name)
    data = bytearray((made / "a.gguf").read_bytes())
    data[tensor.offset + tensor.nbytes // 2 + 1] ^= 1
    path = tmp_path / "a.gguf"
    path.write_bytes(data)
    assert faults(checked(path, made)) == [
        "a.gguf has another sha256 than the manifest says",
        f"{name}: its bytes are not those that the manifest tells of",
    ]


def test_a_key(made: Path, tmp_path: Path) -> None:
    path = rewritten(made / "a.gguf", tmp_path / "a.gguf", keys={"tokenizer.chat_template": text("{{ evil }}")})
    assert "a.gguf: the header, which holds keys and places of tensors, is another" in faults(checked(path, made))


def test_other_tensors(made: Path, tmp_path: Path) -> None:
    path = rewritten(made / "a.gguf", tmp_path / "a.gguf", order=lambda tensors: tensors[1:])
    assert any("the manifest lists it, and it is missing" in fault for fault in faults(checked(path, made)))
    found = faults(checked(made / "s-00001-of-00004.gguf", made))
    assert found[0] == "4 files, the manifest lists 1"
    assert "blk.0.attn_q.weight: its type is Q8_0, the manifest says Q4_K" in found


def test_bytes_after_the_end(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes((made / "a.gguf").read_bytes() + b"x")
    assert any(
        "a.gguf has 2,669,665 bytes, the manifest says 2,669,664" in fault for fault in faults(checked(path, made))
    )
