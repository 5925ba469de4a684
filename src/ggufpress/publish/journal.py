"""What earlier runs of the same push have finished: a small file in the output folder, so that nothing is made twice.

An entry counts only for the very same output: same bytes of its header, same tensors, same weights to make them from.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ggufpress.errors import GgufpressError, OutputError
from ggufpress.files import reason
from ggufpress.planning import OutputPlan, Plan
from ggufpress.publish.describing import sha256_of

NAME = ".ggufpress-push.json"
FORMAT = 1


def fingerprint(plan: Plan, output: OutputPlan) -> str:
    """What two outputs share only if their files are the same. Reads nothing: a source file counts by size and time."""
    digest = hashlib.sha256(version("ggufpress").encode())
    for file in output.files:
        digest.update(file.header)
    sources = {
        (str(ref.file), ref.stamp.size if ref.stamp else 0, ref.stamp.mtime_ns if ref.stamp else 0)
        for tensor in plan.model.tensors
        for ref in tensor.sources
    }
    matrix = plan.importance.path if plan.importance else None
    said = [tensor.to_json() for tensor in output.tensors]
    own = (matrix.stat().st_size, matrix.stat().st_mtime_ns) if matrix else None
    where = sorted(plan.model.provenance.items())
    digest.update(json.dumps([said, where, sorted(sources), own, output.via.name if output.via else None]).encode())
    return digest.hexdigest()


class Journal:
    """The journal of one folder. Broken or missing, it is empty."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._entries: dict[str, Any] = {}
        with suppress(OSError, ValueError, RecursionError):
            data = json.loads(self.path.read_bytes())
            if isinstance(data, dict) and data.get("journal") == FORMAT and isinstance(data.get("outputs"), dict):
                self._entries = data["outputs"]

    def digests(self, output: OutputPlan, mark: str) -> tuple[str, ...] | None:
        """The sha256 of the files of `output`, where a run before has finished it; they need not be here any more."""
        entry = self._entry(output, mark)
        files = entry.get("files") if entry else None
        if not isinstance(files, list) or len(files) != len(output.files):
            return None
        digests = [one.get("sha256") if isinstance(one, Mapping) else None for one in files]
        return tuple(str(digest) for digest in digests) if all(isinstance(one, str) for one in digests) else None

    def intact(self, output: OutputPlan, mark: str) -> tuple[str, ...] | None:
        """The sha256 of the files of `output` where all are here, complete, and of this very plan.

        A run that was killed between the last byte and its entry leaves files that are read once more.
        """
        if self._entry(output, mark) is None or not all(
            _is_of(file.path, file.header, file.file_bytes) for file in output.files
        ):
            return None
        known, stamps = self.digests(output, mark), [file.path.stat().st_mtime_ns for file in output.files]
        entry = self._entry(output, mark) or {}
        if known and stamps == [one.get("mtime_ns") for one in entry["files"]]:
            return known
        try:
            digests = tuple(sha256_of(file.path) for file in output.files)
        except GgufpressError:
            return None
        return digests if known in (None, digests) else None

    def begin(self, output: OutputPlan, mark: str) -> None:
        """Note that `output` is about to be made. Raises OutputError where the folder cannot be written."""
        self._entries[output.path.name] = {"fingerprint": mark, "files": None}
        self._save()

    def finished(self, output: OutputPlan, mark: str, digests: Sequence[str]) -> None:
        """Note that the files of `output` are complete, and their sha256."""
        files = [
            {
                "name": file.path.name,
                "bytes": file.file_bytes,
                "mtime_ns": file.path.stat().st_mtime_ns,
                "sha256": digest,
            }
            for file, digest in zip(output.files, digests, strict=True)
        ]
        self._entries[output.path.name] = {"fingerprint": mark, "files": files}
        self._save()

    def forget(self, output: OutputPlan) -> None:
        """Note nothing of `output`."""
        self._entries.pop(output.path.name, None)
        self._save()

    def _entry(self, output: OutputPlan, mark: str) -> Mapping[str, Any] | None:
        entry = self._entries.get(output.path.name)
        return entry if isinstance(entry, Mapping) and entry.get("fingerprint") == mark else None

    def _save(self) -> None:
        data = json.dumps({"journal": FORMAT, "outputs": self._entries}, indent=1) + "\n"
        part = self.path.with_name(NAME + ".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(data)
            os.replace(part, self.path)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {reason(error)}") from error


def _is_of(path: Path, header: bytes, nbytes: int) -> bool:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size == nbytes and file.read(len(header)) == header
    except OSError:
        return False
