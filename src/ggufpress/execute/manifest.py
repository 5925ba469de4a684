"""The manifest: a JSON file beside a GGUF file that says from what and how it was made, tensor by tensor.

Its content depends on the source and the plan alone: not on the machine, the time, the folder or the number of threads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ggufpress.errors import CheckpointError, ImatrixError, InputError, UnsupportedError
from ggufpress.execute.partfile import PartFile
from ggufpress.execute.pipeline import WrittenTensor
from ggufpress.files import ReadOnlyFile, file_sha256
from ggufpress.planning import Model, OutputPlan, Plan
from ggufpress.recipe.clone import spelled_out
from ggufpress.source.origin import Origin, origin
from ggufpress.source.remote import FileRead

FORMAT = 1
REFERENCE = "llama.cpp of llama-cpp-python 0.3.36, x86-64 without FMA"
SMALL_FILES = (".json", ".jinja", ".model", ".txt", ".md")


def manifest_path(path: Path) -> Path:
    """Where the manifest of the GGUF file at `path` stands."""
    return path.with_name(path.name + ".manifest.json")


def source_files(model: Model) -> dict[str, Path]:
    """Every file on this disk that may have shaped what is made of `model`: the small files beside the weights and the shards."""
    if model.stored:
        return {file.path.name: file.path for file in model.stored.files}
    files: dict[str, Path] = {}
    if model.small:
        files = {name: model.small.path(name) for name in model.small.names() if name.endswith(SMALL_FILES)}
    shards = {ref.file for tensor in model.tensors for ref in tensor.sources}
    return files | {_name_within(model.root, path): path for path in shards if isinstance(path, Path)}


def source_hashes(model: Model, read: Sequence[FileRead] = ()) -> dict[str, dict[str, Any]]:
    """Size and sha256 of every file that may have shaped the output: the small files of the folder and the shards.

    Of files that are not on this disk, `read` tells both, and whether the hash is more than what their host says.
    Raises CheckpointError where one cannot be read.
    """
    files = source_files(model)
    with ThreadPoolExecutor() as executor:
        found = dict(zip(files, executor.map(described, files.values()), strict=True))
    for file in read:
        found[file.name] = {"bytes": file.nbytes, "sha256": file.sha256} | ({} if file.checked else {"checked": False})
    return dict(sorted(found.items()))


def _name_within(root: Path, path: Path) -> str:
    """The file's name in the checkpoint's folder; of one that is in a cache, its last folder may be the checkpoint's."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else f"{path.parent.name}/{path.name}"


def described(path: Path, error: type[InputError] = CheckpointError) -> dict[str, Any]:
    """Size and sha256 of a file on this disk. Raises `error` where it cannot be read."""
    with ReadOnlyFile(path, error) as file:
        nbytes = file.size
    return {"bytes": nbytes, "sha256": file_sha256(path, error)}


def manifest(
    plan: Plan,
    output: OutputPlan,
    written: Mapping[str, WrittenTensor],
    digests: Sequence[str],
    sources: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of the manifest of one output, whose files have the sha256 `digests`.

    `sources` are the `source_hashes` of the model.
    """
    tensors = [
        tensor.to_json() | {"sha256": written[tensor.name].sha256, "rmse": written[tensor.name].rmse}
        for tensor in output.tensors
    ]
    files = [
        {
            "path": file.path.name, "bytes": file.file_bytes, "sha256": digest,
            "header_bytes": len(file.header), "header_sha256": hashlib.sha256(file.header).hexdigest(),
        }
        for file, digest in zip(output.files, digests, strict=True)
    ]  # fmt: skip
    one = digests[0] if len(digests) == 1 else None
    made = output.to_json() | {"path": output.path.name, "sha256": one, "files": files, "tensors": tensors}
    matrix = plan.importance.path if plan.importance else None
    model = plan.model
    pinned = model.provenance
    found = Origin(pinned["repository"], pinned["commit"]) if pinned else origin(model.root)
    return {
        "manifest": FORMAT,
        "versions": versions(),
        "source": {
            "name": model.name, "kind": "gguf" if model.stored else "checkpoint", "class": model.hf_class,
            "repo": found.repo, "revision": found.revision, "files": sources,
        },
        "imatrix": {"name": matrix.name, **described(matrix, ImatrixError)} if matrix else None,
        "request": {"pre": plan.pre, "imatrix_name": plan.imatrix_name, **plan.wanted.to_json()},
        "resolved_recipe": resolved_recipe(plan, output),
        "output": made,
    }  # fmt: skip


def versions() -> dict[str, str]:
    """What made the file, whose bytes it has, and the libraries that read the tokenizer."""
    libraries = ("ggufpress", "numpy", "tokenizers", "sentencepiece")
    return {name: version(name) for name in libraries} | {"reference": REFERENCE}


def resolved_recipe(plan: Plan, output: OutputPlan) -> dict[str, Any] | None:
    """The recipe with its mix spelled out for this model; None for floats, and where rules cannot say it."""
    tensors = [(tensor.name, tensor.source.shape, tensor.qtype) for tensor in output.tensors]
    try:
        return spelled_out(output.recipe, tensors, plan.model.facts).to_json()
    except UnsupportedError:
        return None


def write_manifests(
    plan: Plan,
    written: Sequence[Mapping[str, WrittenTensor]],
    digests: Sequence[Sequence[str]],
    stack: ExitStack,
    read: Sequence[FileRead] = (),
) -> list[PartFile]:
    """Write the manifest of every output of `plan`, complete but for the final name; `stack` removes what gets none.

    `read` are the files of the source that are not on this disk.
    """
    sources = source_hashes(plan.model, read)
    parts = []
    for output, tensors, digest in zip(plan.outputs, written, digests, strict=True):
        data = (json.dumps(manifest(plan, output, tensors, digest, sources), indent=1) + "\n").encode()
        # whether it may be replaced was settled before the work
        part = stack.enter_context(PartFile(manifest_path(output.path), len(data), force=True))
        part.write_at(0, data)
        part.sync()
        parts.append(part)
    return parts
