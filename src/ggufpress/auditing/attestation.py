"""An audit as an in-toto statement, which tools that sign and check supply chains read.

Source: in-toto Attestation Framework, Statement v1 and the predicate test-result v0.1 (github.com/in-toto/attestation,
spec/v1/statement.md, spec/predicates/test-result.md). It is not signed here: cosign and others do that.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ggufpress.auditing.findings import Verdict
from ggufpress.auditing.report import AuditReport
from ggufpress.errors import CheckpointError, GgufError, ImatrixError, InputError
from ggufpress.execute.manifest import source_files, versions
from ggufpress.execute.partfile import PartFile
from ggufpress.provenance.hashing import files_sha256

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
WARNED = (Verdict.BUILD, Verdict.CONSISTENT, Verdict.UNCHECKED)


def statement(report: AuditReport, threads: int | None = None) -> dict[str, Any]:
    """The statement: the file is the subject, what it was held against the configuration, each tensor and key a test.

    Hashes the file and all files of the source. Raises the errors of reading them.
    """
    error = GgufError if report.model.stored else CheckpointError
    tests: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for tensor in report.tensors:
        passed = tensor.verdict is Verdict.IDENTICAL
        kind = "passedTests" if passed else "warnedTests" if tensor.verdict in WARNED else "failedTests"
        tests[kind].append(f"tensor {tensor.name}: {tensor.verdict.value}")
    for key in report.keys:
        tests["failedTests" if key.is_fault else "warnedTests"].append(f"key {key.key}: {key.about}")
    tests["failedTests"] += [f"file: {fault}" for fault in report.faults]
    result = "PASSED" if report.verdict is Verdict.IDENTICAL else "WARNED" if report.derived else "FAILED"
    return {
        "_type": STATEMENT,
        "subject": _described(report.files, GgufError, threads),
        "predicateType": PREDICATE,
        "predicate": {
            "result": result,
            "configuration": [
                *_described(source_files(report.model).values(), error, threads),
                *_repository(report),
                *_described([report.imatrix] if report.imatrix else [], ImatrixError, threads),
                {"name": "ggufpress audit", "mediaType": "application/json", "content": _content(report)},
            ],
            **tests,
        },
    }


def write_statement(path: Path, content: dict[str, Any], *, force: bool = False) -> None:
    """Write the statement as JSON. Raises OutputError where the file exists and not `force`."""
    data = (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
    with PartFile(path, len(data), force=force) as part:
        part.write_at(0, data)
        part.sync()
        part.commit()


def _repository(report: AuditReport) -> list[dict[str, Any]]:
    """The repository and commit of a source on the Hub, whose weights are on no disk here."""
    found = report.model.provenance
    if "repository" not in found or "commit" not in found:
        return []
    uri = f"https://huggingface.co/{found['repository']}/tree/{found['commit']}"
    return [{"uri": uri, "digest": {"gitCommit": found["commit"]}}]


def _content(report: AuditReport) -> str:
    """The verdict and who came to it, as base64: a descriptor needs a digest or its content."""
    return b64encode(json.dumps({"verdict": report.verdict.name.lower(), **versions()}).encode()).decode()


def _described(paths: Iterable[Path], error: type[InputError], threads: int | None) -> list[dict[str, Any]]:
    """Files as ResourceDescriptors."""
    listed = list(paths)
    digests = files_sha256(listed, error, threads)
    return [{"name": path.name, "digest": {"sha256": d}} for path, d in zip(listed, digests, strict=True)]
