"""The Python API: the verbs of the command line as functions, with the same words."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Unpack

from ggufpress.auditing.report import AuditReport, audit_file
from ggufpress.comparison.report import FileComparison, compare_sources
from ggufpress.execute.bringing import bring
from ggufpress.execute.pipeline import MEMORY, Progress
from ggufpress.execute.run import Report, execute
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.imatrix.auto import auto_matrix
from ggufpress.imatrix.read import AUTO, read_imatrix
from ggufpress.planning.request import PlanOptions, plan
from ggufpress.proof.report import VerifyReport, verify_file
from ggufpress.provenance.manifests import read_manifest
from ggufpress.provenance.reproduction import Reproduction, reproduce_file
from ggufpress.shards.copying import CopyReport, copy
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import merged_path, plan_merge, plan_split, shards_prefix
from ggufpress.source.resolve import HubOptions, resolve


def quantize(
    source: str | PathLike[str],
    types: Sequence[str] | None = None,
    *,
    threads: int | None = None,
    memory: int = MEMORY,
    force: bool = False,
    manifest: bool = False,
    download: bool = False,
    progress: Progress | None = None,
    calibration: str | PathLike[str] | None = None,
    **options: Unpack[PlanOptions],
) -> Report:
    """Make one GGUF file per type, all from one read of the weights, with llama.cpp's very bytes.

    Takes the arguments of `plan`, and: threads, by default one per core; memory, bytes for buffers; force, replace files;
    manifest, write a JSON manifest beside each file; download, copy a model on the Hub to its cache first, else its weights
    are streamed; progress, called with (bytes just read, tensor name).
    imatrix="auto": measure importance with llama.cpp on the text `calibration`, by default a bundled one, once.
    A file appears under its name only when it is complete and verified; on an error nothing is left.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.quantize("TinyLlama-1.1B-Chat-v1.0", ["Q4_K_M", "Q8_0"], output="out")`
    """
    if options.get("imatrix") == AUTO:
        options["imatrix"] = auto_matrix(
            fspath(source),
            None if calibration is None else Path(calibration),
            n_threads=threads,
            hub={"revision": options.get("revision"), "token": options.get("token")},
        )
        options["imatrix_name"] = options.get("imatrix_name") or AUTO
    planned = plan(source, types, **options)
    if download:
        bring(planned)
    return execute(planned, force=force, threads=threads, memory=memory, manifest=manifest, progress=progress)


def verify(
    path: str | PathLike[str],
    *,
    against: str | PathLike[str] | None = None,
    manifest: str | PathLike[str] | None = None,
    threads: int | None = None,
    **options: Unpack[HubOptions],
) -> VerifyReport:
    """Check the GGUF file at `path`, or the set of which it is a shard: its structure and its blocks.

    Where `against` names its source, also the error of each tensor against that, with revision and token as of `plan`; where
    `manifest` names its manifest, also that every byte is the one that was made. The report's `ok` says whether all is well.
    raises: GgufError where the file cannot be parsed, ManifestError, and the errors of reading the source.
    """
    return verify_file(
        Path(path),
        resolve(against, **options) if against is not None else None,
        threads,
        read_manifest(Path(manifest)) if manifest is not None else None,
    )


def compare(left: str | PathLike[str], right: str | PathLike[str], *, threads: int | None = None) -> FileComparison:
    """Say how two GGUF files differ, or a GGUF file and the checkpoint it was made from, whichever comes first.

    Keys, tensors, types, and for weights that differ RMSE, largest difference and cosine, of `right` against `left`. The
    result's `equal` says whether there is a difference, its `verdict` in short clauses what the differences come to.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.compare("mine.gguf", "theirs.gguf").verdict[0]`
    """
    return compare_sources(resolve(left), resolve(right), threads)


def audit(
    path: str | PathLike[str],
    *,
    source: str | PathLike[str],
    imatrix: str | PathLike[str] | None = None,
    allow_keys: Sequence[str] = (),
    threads: int | None = None,
    **options: Unpack[HubOptions],
) -> AuditReport:
    """Say whether the GGUF file at `path`, made by whoever with llama.cpp, comes from `source`. Writes nothing.

    imatrix: the importance matrix it was made with, if that is known. allow_keys: keys that may differ from the source's.
    revision, token: as of `plan`. The report's `verdict` is the worst of all tensors and keys; `derived` says whether nothing
    speaks against the source.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.audit("theirs-Q4_K_M.gguf", source="TinyLlama-1.1B-Chat-v1.0").verdict`
    """
    importance = read_imatrix(Path(imatrix)) if imatrix is not None else None
    return audit_file(
        read_gguf_set(Path(path)), resolve(source, **options), importance, allowed_keys=allow_keys, threads=threads
    )


def reproduce(
    manifest: str | PathLike[str],
    *,
    source: str | PathLike[str] | None = None,
    imatrix: str | PathLike[str] | None = None,
    output: str | PathLike[str] | None = None,
    force: bool = False,
    threads: int | None = None,
    memory: int = MEMORY,
    **options: Unpack[HubOptions],
) -> Reproduction:
    """Make the file that `manifest` tells of again, from its source, and say whether it has the same bytes.

    source and imatrix: by default what has their names here or beside the manifest. output: a .gguf path to keep the file;
    without it nothing is kept. revision, token: as of `plan`. The result's `equal` says whether every byte is the same,
    `differences` what is not.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.reproduce("tiny-Q4_K_M.gguf.manifest.json", source="tiny").equal`
    """
    imatrix, output = (None if path is None else Path(path) for path in (imatrix, output))
    given = None if source is None else fspath(source)
    return reproduce_file(
        Path(manifest), given, imatrix, output, force=force, threads=threads, memory=memory, **options
    )


def split(
    path: str | PathLike[str],
    *,
    output: str | PathLike[str] | None = None,
    split_max_size: str | int | None = None,
    split_max_tensors: int | None = None,
    no_tensor_first_split: bool = False,
    force: bool = False,
) -> CopyReport:
    """Cut the GGUF file at `path` into shards, with gguf-split's very bytes.

    output: what the names of the shards start with, or a folder. split_max_size: bytes of tensors per shard, or a text such
    as "2G". split_max_tensors: tensors per shard, 128 where neither is given. no_tensor_first_split: only metadata in the
    first. All shards appear together, complete and verified; on an error nothing is left.
    raises: GgufpressError and its subclasses.

    Example: `ggufpress.split("model.gguf", split_max_size="2G").files[0].path`
    """
    limits = split_limits(split_max_size, split_max_tensors, not no_tensor_first_split)
    source = read_gguf_set(Path(path))
    return copy(
        plan_split(source, shards_prefix(source, None if output is None else Path(output)), limits), force=force
    )


def merge(
    shard: str | PathLike[str],
    *,
    output: str | PathLike[str] | None = None,
    keep_split_keys: bool = False,
    force: bool = False,
) -> CopyReport:
    """Make one GGUF file of the set of which `shard` is any one: the very file that was split.

    output: a .gguf path or a folder. keep_split_keys: leave split.* in, as gguf-split does.
    raises: GgufpressError and its subclasses.
    """
    source = read_gguf_set(Path(shard))
    path = merged_path(source, None if output is None else Path(output))
    return copy(plan_merge(source, path, keep_split_keys=keep_split_keys), force=force)
