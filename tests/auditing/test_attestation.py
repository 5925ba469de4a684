from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from ggufpress import audit, quantize
from ggufpress.auditing.attestation import statement, write_statement
from ggufpress.errors import OutputError
from ggufpress.gguf.values import text
from tests.comparison.files import rewritten
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "imatrix.gguf").write_bytes(matrix_bytes("gguf", entries(BARD)))
    return quantize(BARD, ["Q4_K_M"], output=folder / "a.gguf", imatrix=folder / "imatrix.gguf").files[0].path


def test_a_statement_names_the_file_and_all_it_was_held_against(file: Path) -> None:
    matrix = file.with_name("imatrix.gguf")
    found = statement(audit(file, source=BARD, imatrix=matrix))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["subject"] == [{"name": "a.gguf", "digest": {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}}]
    predicate = found["predicate"]
    assert predicate["result"] == "PASSED"
    assert (len(predicate["passedTests"]), predicate["warnedTests"], predicate["failedTests"]) == (39, [], [])
    digests = {item["name"]: item["digest"]["sha256"] for item in predicate["configuration"] if "digest" in item}
    for path in (BARD / "model.safetensors", BARD / "tokenizer.model", matrix):
        assert digests[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    (own,) = (item for item in predicate["configuration"] if "content" in item)
    assert json.loads(base64.b64decode(own["content"]))["verdict"] == "identical"


def test_what_is_not_proven_is_a_warning_and_a_fault_fails(file: Path, tmp_path: Path) -> None:
    predicate = statement(audit(file, source=BARD))["predicate"]
    assert predicate["result"] == "WARNED"
    assert len(predicate["warnedTests"]) == 28
    edited = rewritten(file, tmp_path / "b.gguf", keys={"tokenizer.chat_template": text("x")})
    predicate = statement(audit(edited, source=BARD))["predicate"]
    assert predicate["result"] == "FAILED"
    assert [name.split(":")[0] for name in predicate["failedTests"]] == ["key tokenizer.chat_template"]


def test_a_statement_is_not_replaced_unasked(tmp_path: Path) -> None:
    write_statement(tmp_path / "a.json", {"a": "ü"})
    with pytest.raises(OutputError, match="exists already"):
        write_statement(tmp_path / "a.json", {})
    write_statement(tmp_path / "a.json", {"a": 2}, force=True)
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 2}
