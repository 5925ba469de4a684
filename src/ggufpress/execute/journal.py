"""What is finished of an output that is being made: a file beside NAME.part, by which a run goes on where one was cut off.

Lines of JSON: the first says what is being made from what; the others name tensors whose bytes are all written, and files of
the source that were read whole and found right. A line that is cut off counts as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

from ggufpress.errors import OutputError
from ggufpress.execute.manifest import manifest_path
from ggufpress.execute.partfile import PartFile
from ggufpress.execute.pipeline import WrittenTensor
from ggufpress.planning import OutputPlan, Plan
from ggufpress.source.remote import FileRead

CHUNK = 1 << 20


@dataclass(slots=True)
class Finished:
    """What is finished: tensors and files of the source, by name."""

    tensors: dict[str, WrittenTensor] = field(default_factory=dict)
    files: dict[str, FileRead] = field(default_factory=dict)


def identity(plan: Plan, output: OutputPlan, measured: bool, imatrix: str | None) -> str:
    """A hash of all that shapes the bytes of `output`: two runs with the same one may share them."""
    facts = {
        "ggufpress": version("ggufpress"),
        "source": dict(plan.model.provenance),
        "headers": [hashlib.sha256(file.header).hexdigest() for file in output.files],
        "output": output.to_json() | {"path": None, "files": None},
        "tensors": [(tensor.name, [str(step) for step in tensor.source.steps]) for tensor in output.tensors],
        "imatrix": imatrix,
        "measured": measured,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def take_back(output: OutputPlan, name: str) -> None:
    """Make part files again of those that got their names before the run that made `name` was cut off between two.

    Its journal is removed last: where it is still there, not all that belongs together is known to be in place. Raises
    OutputError.
    """
    try:
        if _lines_about(_path(output), name) is None:
            return
    except (OSError, ValueError):
        return
    try:
        for file in output.files:
            part = file.path.with_name(file.path.name + ".part")
            if file.path.is_file() and not part.exists():
                os.rename(file.path, part)
        manifest_path(output.path).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{output.path} cannot be gone on with: {error.strerror}", hint="remove it") from error


class Journal:
    """The journal of one output. All methods but `begin` may be called from any thread."""

    def __init__(self, output: OutputPlan, parts: list[PartFile], name: str) -> None:
        self.path = _path(output)
        self._output = output
        self._parts = parts
        self._name = name
        self._lock = Lock()
        self._known: set[str] = set()
        self._fd = -1

    def begin(self) -> Finished:
        """What a run before finished of the same, as far as its bytes are still there; then ready for more.

        Where it made something else, or nothing, the part files are empty afterwards. Raises OutputError.
        """
        before = self._read()
        found = Finished(files=before.files) if before else Finished()
        if before is None:
            for part in self._parts:
                part.clear()
        else:
            found.tensors = {tensor.name: tensor for tensor in self._still_there(before)}
        try:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror}") from error
        self._write({"making": self._name})
        for tensor in found.tensors.values():
            self.tensor(tensor)
        for file in found.files.values():
            self.file(file)
        return found

    def tensor(self, written: WrittenTensor) -> None:
        """All bytes of a tensor are written."""
        self._write({"tensor": asdict(written)})

    def file(self, read: FileRead) -> None:
        """A file of the source was read whole and is right."""
        with self._lock:
            if read.name in self._known:
                return
            self._known.add(read.name)
        self._write({"file": asdict(read)})

    def close(self) -> None:
        """Close it, and leave it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Close and remove it: nothing is to be gone on with."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _write(self, line: dict[str, Any]) -> None:
        # a journal that cannot be written only makes the next run longer
        with self._lock, contextlib.suppress(OSError):
            os.write(self._fd, json.dumps(line).encode() + b"\n")

    def _read(self) -> Finished | None:
        found = Finished()
        try:
            if (lines := _lines_about(self.path, self._name)) is None:
                return None
            for line in map(json.loads, lines):
                if "tensor" in line:
                    tensor = WrittenTensor(**line["tensor"])
                    found.tensors[tensor.name] = tensor
                else:
                    file = FileRead(**line["file"])
                    found.files[file.name] = file
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found

    def _still_there(self, before: Finished) -> Iterator[WrittenTensor]:
        """The tensors whose bytes in the part files have the hash that they had in memory."""
        for file, part in zip(self._output.files, self._parts, strict=True):
            for planned in file.tensors:
                written = before.tensors.get(planned.name)
                start = len(file.header) + planned.offset
                if written and _sha256(part, start, planned.nbytes) == written.sha256:
                    yield written


def _path(output: OutputPlan) -> Path:
    return output.path.with_name(output.path.name + ".part.journal")


def _lines_about(path: Path, name: str) -> list[bytes] | None:
    """The lines after the first, where that says that `name` is being made."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return lines[1:] if lines and json.loads(lines[0]) == {"making": name} else None


def _sha256(part: PartFile, start: int, nbytes: int) -> str:
    digest = hashlib.sha256()
    for at in range(start, start + nbytes, CHUNK):
        digest.update(os.pread(part.fd, min(CHUNK, start + nbytes - at), at))
    return digest.hexdigest()
