"""From a plan to verified files: reserve, stream, sync, re-read, manifest, rename."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ggufpress.errors import ImatrixError, InputError, OutputError, RepositoryError, UsageError, VerifyError
from ggufpress.execute.bringing import remote_files
from ggufpress.execute.journal import Finished, Journal, identity, take_back
from ggufpress.execute.manifest import described, manifest_path, write_manifests
from ggufpress.execute.partfile import PartFile, allow_open_files, check_space, commit_together
from ggufpress.execute.pipeline import MEMORY, Progress, WrittenTensor, stream
from ggufpress.execute.recheck import ReadBack
from ggufpress.execute.writeback import Writeback
from ggufpress.gguf.placed import PlacedFile
from ggufpress.planning import OutputPlan, Plan, PlannedTensor
from ggufpress.quant.isa import isa_in_use
from ggufpress.source.remote import FileRead


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One finished file. `ratio` is its size as a share of the weights it was made from."""

    path: Path
    type: str
    nbytes: int
    bpw: float
    ratio: float
    sha256: str
    manifest: Path | None

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "path": str(self.path),
            "type": self.type,
            "bytes": self.nbytes,
            "bpw": round(self.bpw, 4),
            "ratio": round(self.ratio, 4),
            "sha256": self.sha256,
            "manifest": str(self.manifest) if self.manifest else None,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a run made, and how long it took in seconds.

    `unchecked` are the files of a source elsewhere whose hash could not be checked, as they were read in another order.
    """

    files: tuple[WrittenFile, ...]
    seconds: float
    unchecked: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "files": [file.to_json() for file in self.files],
            "seconds": round(self.seconds, 3),
            "unchecked": list(self.unchecked),
        }


def execute(
    plan: Plan,
    *,
    force: bool = False,
    threads: int | None = None,
    memory: int = MEMORY,
    manifest: bool = False,
    progress: Progress | None = None,
    stage: Callable[[str], None] | None = None,
    resume: bool | None = None,
) -> Report:
    """Make the files of `plan`. Each appears under its name only when it is complete and was read back without a fault.

    With `resume`, by default where weights come from elsewhere, what is finished stays as NAME.part when the run is cut off,
    and the same run again goes on from there. Otherwise, and where something is wrong with the source or a file, nothing is
    left behind. `stage` is told what happens after the last weight.
    Raises OutputError where a file exists and not `force`, SpaceError, CheckpointError, WeightError or VerifyError.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"--threads {threads} is too few", hint="1 or more")
    isa_in_use()
    started = time.perf_counter()
    tell = stage or (lambda _: None)
    read: dict[str, FileRead] = {}
    with ExitStack() as stack:
        for output in plan.outputs:
            _make_folder(output.path.parent, stack)
        files = [file for output in plan.outputs for file in output.files]
        allow_open_files(len(files))
        keep = bool(remote_files(plan)) if resume is None else resume
        names = _names(plan, manifest) if keep else []
        parts = [
            [stack.enter_context(PartFile(file.path, file.file_bytes, force=force, keep=keep)) for file in output.files]
            for output in plan.outputs
        ]
        journals = [Journal(*made) for made in zip(plan.outputs, parts, names, strict=True)] if keep else []
        stack.enter_context(_left_or_removed(journals, [part for of_output in parts for part in of_output]))
        every = [part for of_output in parts for part in of_output]
        if manifest and not force:
            _refuse_to_replace(manifest_path(output.path) for output in plan.outputs)
        done = [journal.begin() for journal in journals]
        _reserve(every, files)
        checks = [
            ReadBack([(part.path, file) for part, file in zip(of_output, output.files, strict=True)])
            for of_output, output in zip(parts, plan.outputs, strict=True)
        ]
        with ExitStack() as checking:
            for check in checks:
                checking.enter_context(check)
            skipped = _in_all(done)
            for number, finished in enumerate(done):
                for name in skipped:
                    checks[number].finished(name, finished.tensors[name].sha256)
            if progress and skipped:
                _count(plan, skipped, progress)

            def tensor_finished(number: int, tensor: WrittenTensor) -> None:
                checks[number].finished(tensor.name, tensor.sha256)
                for journal in journals[number : number + 1]:
                    journal.tensor(tensor)

            def files_read(files: Sequence[FileRead]) -> None:
                read.update({file.name: file for file in files})
                for journal in journals:
                    for file in files:
                        if file.checked:
                            journal.file(file)

            with Writeback(every):
                for finished in done:
                    read.update(finished.files)
                written = stream(
                    plan,
                    parts,
                    threads=threads,
                    memory=memory,
                    measure=manifest,
                    progress=progress,
                    finished=tensor_finished,
                    sources=files_read,
                    done=[{name: finished.tensors[name] for name in skipped} for finished in done],
                )
            tell("writing to disk")
            with ThreadPoolExecutor(thread_name_prefix="sync") as executor:
                list(executor.map(PartFile.sync, every))
            tell("reading back")
            digests = [check.result() for check in checks]
        manifests = write_manifests(plan, written, digests, stack, list(read.values())) if manifest else []
        commit_together([*every, *manifests])
        _remove(journals)
        stack.pop_all().close()
    made = tuple(
        _written(plan, output, file, digest, manifest)
        for output, of_output in zip(plan.outputs, digests, strict=True)
        for file, digest in zip(output.files, of_output, strict=True)
    )
    unchecked = tuple(file.name for file in read.values() if not file.checked)
    return Report(made, time.perf_counter() - started, unchecked)


def _names(plan: Plan, measured: bool) -> list[str]:
    """What is being made, for each output; those that a run before made and named are part files again."""
    matrix = described(plan.importance.path, ImatrixError)["sha256"] if plan.importance else None
    names = [identity(plan, output, measured, matrix) for output in plan.outputs]
    for output, name in zip(plan.outputs, names, strict=True):
        take_back(output, name)
    return names


def _in_all(done: Sequence[Finished]) -> list[str]:
    """The tensors that every output has."""
    return [name for name in done[0].tensors if all(name in other.tensors for other in done)] if done else []


def _count(plan: Plan, skipped: Container[str], progress: Progress) -> None:
    for tensor in plan.model.tensors:
        if tensor.name in skipped:
            progress(sum(ref.nbytes for ref in tensor.sources), tensor.name)


@contextmanager
def _left_or_removed(journals: Sequence[Journal], parts: Sequence[PartFile]) -> Iterator[None]:
    """Leave part files and journals where the run is cut off, and nothing where it would fail again."""
    try:
        yield
    except RepositoryError:
        # who was let in before may be again
        raise
    except (InputError, OutputError, UsageError, VerifyError):
        for part in parts:
            part.keep = False
        _remove(journals)
        raise
    finally:
        for journal in journals:
            journal.close()


def _reserve(parts: Sequence[PartFile], files: Sequence[PlacedFile[PlannedTensor]]) -> None:
    """Take the space of all files, and write their headers."""
    check_space(parts)
    for part, file in zip(parts, files, strict=True):
        part.reserve()
        part.write_at(0, file.header)


def _remove(journals: Sequence[Journal]) -> None:
    for journal in journals:
        journal.remove()


def _written(
    plan: Plan, output: OutputPlan, file: PlacedFile[PlannedTensor], digest: str, manifest: bool
) -> WrittenFile:
    data_bytes = sum(tensor.nbytes for tensor in file.tensors)
    n_params = sum(tensor.source.n_params for tensor in file.tensors)
    return WrittenFile(
        file.path,
        output.preset.name,
        file.file_bytes,
        8 * data_bytes / n_params if n_params else 0.0,
        data_bytes / plan.model.source_bytes,
        digest,
        manifest_path(output.path) if manifest else None,
    )


def _make_folder(folder: Path, stack: ExitStack) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be made: {error.strerror}") from error
    for path in reversed(missing):
        stack.callback(_remove_if_empty, path)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _refuse_to_replace(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise OutputError(f"{path} exists already", hint="--force replaces it")
