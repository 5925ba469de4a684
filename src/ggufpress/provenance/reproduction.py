"""A manifest carried out again: the file made anew from its source, and compared byte by byte through its hashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Unpack

from ggufpress.errors import ImatrixError, UsageError
from ggufpress.execute.pipeline import MEMORY, Progress
from ggufpress.execute.run import execute
from ggufpress.files import file_sha256
from ggufpress.imatrix.read import read_imatrix
from ggufpress.planning import Plan, build_plan
from ggufpress.planning.container import container
from ggufpress.provenance.manifests import Manifest, read_manifest
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.resolve import HubOptions, resolve


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What making a file again came to. `files` are (name, sha256) of what was made, `path` where it is kept, or None.

    `differences` are empty where every byte is the same; else they say what is not, and what may be the cause.
    """

    manifest: Path
    path: Path | None
    files: tuple[tuple[str, str], ...]
    differences: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the very bytes were made again."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "manifest": str(self.manifest), "equal": self.equal, "path": str(self.path) if self.path else None,
            "files": [{"path": name, "sha256": digest} for name, digest in self.files],
            "differences": list(self.differences), "notes": list(self.notes),
        }  # fmt: skip


def plan_again(
    manifest: Manifest, source: str | Path, imatrix: Path | None, output: Path, **options: Unpack[HubOptions]
) -> Plan:
    """The plan that the manifest was made by, for the model at `source`. Raises what planning raises.

    The model is called what it was called then, whatever its folder is called now.
    """
    if manifest.imatrix is None and imatrix is not None:
        raise UsageError(f"{manifest.path} knows of no importance matrix, so --imatrix has no place")
    if manifest.imatrix is not None and imatrix is None:
        raise UsageError(
            f"{manifest.path} was made with the importance matrix {manifest.imatrix.name}",
            hint="give it with --imatrix",
        )
    found = resolve(source, **options)
    if isinstance(found, Checkpoint):
        found = replace(found, called=manifest.source_name)
    asked = manifest.request
    return build_plan(
        found,
        output=output,
        via="auto" if manifest.source_is_gguf else asked.via,
        layout=asked.layout,
        pre=asked.pre,
        wanted=container(
            allow_requantize=asked.allow_requantize,
            prune_layers=asked.prune_layers,
            override_kv=asked.override_kv,
            keep_split=asked.keep_split,
            split_max_size=asked.split_max_size,
            split_max_tensors=asked.split_max_tensors,
        ),
        recipe=asked.recipe,
        importance=read_imatrix(imatrix) if imatrix is not None else None,
        imatrix_name=asked.imatrix_name,
    )


def find_source(manifest: Manifest) -> Path:
    """A folder or file of the source's name, here or beside the manifest. Raises UsageError where there is none."""
    names = [manifest.source_files[0].name] if manifest.source_is_gguf else [manifest.source_name]
    for folder in (Path(), manifest.path.parent):
        for name in names:
            if (folder / name).exists():
                return folder / name
    known = f"{manifest.repo}@{manifest.revision}" if manifest.repo and manifest.revision else ""
    raise UsageError(
        f"the source {names[0]} is neither here nor beside {manifest.path}",
        hint="give it with --source" + (f"; it was --source {known}" if known else ""),
    )


def find_imatrix(manifest: Manifest) -> Path | None:
    """The importance matrix beside the manifest or here, None where there is none."""
    if manifest.imatrix is None:
        return None
    places = (manifest.path.parent / manifest.imatrix.name, Path(manifest.imatrix.name))
    return next((path for path in places if path.is_file()), None)


def reproduce_file(
    path: Path,
    source: str | Path | None = None,
    imatrix: Path | None = None,
    output: Path | None = None,
    *,
    force: bool = False,
    threads: int | None = None,
    memory: int = MEMORY,
    progress: Progress | None = None,
    **options: Unpack[HubOptions],
) -> Reproduction:
    """Make the file of the manifest at `path` again and say whether it has the same bytes.

    Without `output` it is made in a folder beside the manifest that is removed again. Raises what making it raises.
    """
    manifest = read_manifest(path)
    source = source or find_source(manifest)
    imatrix = imatrix or find_imatrix(manifest)
    with ExitStack() as stack:
        place = output
        if place is None:
            folder = stack.enter_context(TemporaryDirectory(prefix=".reproduce-", dir=path.parent))
            place = Path(folder) / "again.gguf"
        plan = plan_again(manifest, source, imatrix, place, **options)
        report = execute(plan, force=force, threads=threads, memory=memory, manifest=True, progress=progress)
        made = report.files[0].manifest
        assert made is not None
        again = read_manifest(made)
    listed = zip(manifest.files, report.files, strict=False)
    same = len(manifest.files) == len(report.files) and all(old.sha256 == new.sha256 for old, new in listed)
    return Reproduction(
        manifest=path,
        path=output,
        files=tuple((file.path.name, file.sha256) for file in report.files),
        differences=() if same else tuple(_differences(manifest, again)),
        notes=tuple(_causes(manifest, again, imatrix)),
    )


def _differences(old: Manifest, new: Manifest) -> Iterator[str]:
    """What is not the same, file by file and tensor by tensor."""
    if len(old.files) != len(new.files):
        yield f"{len(new.files)} files were made, the manifest lists {len(old.files)}"
    for was, now in zip(old.files, new.files, strict=False):
        if was.sha256 != now.sha256:
            yield f"{was.name}: the sha256 is {now.sha256}, the manifest says {was.sha256}"
        if was.header_sha256 != now.header_sha256:
            yield f"{was.name}: the header, which holds keys and places of tensors, is another"
    for name, tensor in old.tensors.items():
        if name not in new.tensors:
            yield f"{name} was not made"
        elif (tensor.type, tensor.sha256) != (new.tensors[name].type, new.tensors[name].sha256):
            yield f"{name} ({tensor.type}) has other bytes ({new.tensors[name].type})"
    for name in new.tensors:
        if name not in old.tensors:
            yield f"{name} is not in the manifest"


def _causes(old: Manifest, new: Manifest, imatrix: Path | None) -> Iterator[str]:
    """What is not as it was: files of the source, the matrix, versions."""
    ours = {file.name: file for file in new.source_files}
    for file in old.source_files:
        if file.name not in ours:
            yield f"{file.name} of the source is missing"
        elif file.sha256 and ours[file.name].sha256 not in (None, file.sha256):
            yield f"{file.name} of the source has another sha256"
    known = {file.name for file in old.source_files}
    for name in ours:
        if name not in known:
            yield f"{name} of the source is not in the manifest"
    if imatrix and old.imatrix and file_sha256(imatrix, ImatrixError) != old.imatrix.sha256:
        yield f"{imatrix.name} has another sha256"
    for name, said in old.versions.items():
        if new.versions.get(name) != said:
            yield f"{name} is {new.versions.get(name)}, it was {said}"
