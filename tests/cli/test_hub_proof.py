"""Proof against a source on the Hub: nothing of it has to be a file here."""

from __future__ import annotations

import json

from tests.cli.test_hub import MODEL, User, user

__all__ = ["user"]


def test_a_file_is_compared_audited_and_made_again_from_the_hub(user: User) -> None:
    user.run("quantize", MODEL, "-q", "Q4_K_M", "-o", "a.gguf", "--manifest", "--quiet")
    manifest = json.loads((user.here / "a.gguf.manifest.json").read_text())
    assert manifest["source"]["repo"] == MODEL
    assert len(manifest["source"]["revision"]) == 40
    assert user.run("audit", "a.gguf", "--source", MODEL, "--attest", "a.json", "--quiet") == "identical\n"
    statement = json.loads((user.here / "a.json").read_text())
    (remote,) = (item for item in statement["predicate"]["configuration"] if "uri" in item)
    assert remote["digest"] == {"gitCommit": manifest["source"]["revision"]}
    compared = user.run("compare", "a.gguf", MODEL, "--quiet", code=1)
    assert "a.gguf looks like Q4_K_M" in compared
    again = user.run("reproduce", "a.gguf.manifest.json", "--source", MODEL, "--quiet")
    assert again.startswith(manifest["output"]["sha256"])
