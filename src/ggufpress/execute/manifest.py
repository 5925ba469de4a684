"""The manifest: a JSON file beside a GGUF file that says from what and how it was made, tensor by tensor.

Its content depends on the source and the plan alone: not on the machine, the time, the folder or the number of threads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ggufpress.execute.partfile import PartFile
from ggufpress.execute.pipeline import WrittenTensor
from ggufpress.execute.recheck import sha256_of
from ggufpress.planning import OutputPlan, Plan
from ggufpress.source.checkpoint import Checkpoint

FORMAT = 1


def manifest_path(path: Path) -> Path:
    """Where the manifest of the GGUF file at `path` stands."""
    return path.with_name(path.name + ".manifest.json")


def source_hashes(checkpoint: Checkpoint) -> dict[str, dict[str, Any]]:
    """Size and sha256 of every file that shaped the output: the small files of the folder and the shards."""
    shards = {ref.file for ref in checkpoint.tensors.values()}
    small = {path for path in checkpoint.root.iterdir() if path.is_file() and path.suffix in SMALL_FILES}
    files = sorted(shards | small)
    with ThreadPoolExecutor() as executor:
        digests = executor.map(sha256_of, files)
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": digest} for path, digest in zip(files, digests, strict=True)
    }


SMALL_FILES = (".json", ".jinja", ".model", ".txt", ".md")


def manifest(
    plan: Plan, output: OutputPlan, written: Mapping[str, WrittenTensor], sha256: str, sources: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of the manifest of one output. `sources` are the `source_hashes` of the checkpoint."""
    tensors = [
        tensor.to_json() | {"sha256": written[tensor.name].sha256, "rmse": written[tensor.name].rmse}
        for tensor in output.tensors
    ]
    described = output.to_json() | {"path": output.path.name, "sha256": sha256, "tensors": tensors}
    return {
        "manifest": FORMAT,
        "ggufpress": version("ggufpress"),
        "source": {"name": plan.checkpoint.name, "class": plan.arch.hf_class, "files": sources},
        "output": described,
    }


def write_manifests(plan: Plan, written: Sequence[Mapping[str, WrittenTensor]], digests: Sequence[str]) -> list[Path]:
    """Write the manifest of every output of `plan`, each whole or not at all; returns their paths."""
    sources = source_hashes(plan.checkpoint)
    paths = []
    for output, tensors, digest in zip(plan.outputs, written, digests, strict=True):
        path = manifest_path(output.path)
        data = (json.dumps(manifest(plan, output, tensors, digest, sources), indent=1) + "\n").encode()
        # whether it may be replaced was settled before the work
        with PartFile(path, len(data), force=True) as part:
            part.write_at(0, data)
            part.sync()
            part.commit()
        paths.append(path)
    return paths
