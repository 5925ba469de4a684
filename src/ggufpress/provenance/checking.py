"""Is a file the one that a manifest tells of? Where it is not, which tensors are others."""

from __future__ import annotations

from collections.abc import Iterator

from ggufpress.errors import GgufError
from ggufpress.files import file_sha256
from ggufpress.gguf.shards import GgufSet
from ggufpress.proof.structure import Fault
from ggufpress.provenance.hashing import files_sha256, tensors_sha256
from ggufpress.provenance.manifests import Manifest

LISTED = 20


def check_manifest(file: GgufSet, manifest: Manifest, threads: int | None = None) -> tuple[Fault, ...]:
    """What of `file` is not as `manifest` says; nothing where every byte of every file is. Names of files do not matter.

    Reads all of it once, and once more where something is wrong. Raises GgufError where it cannot be read.
    """
    paths = [found.path for found in file.files]
    if len(paths) != len(manifest.files):
        message = f"{len(paths)} files, the manifest lists {len(manifest.files)}"
        return (Fault("", message), *_tensors(file, manifest, threads))
    wrong = [
        (path, listed)
        for path, listed, digest in zip(paths, manifest.files, files_sha256(paths, threads=threads), strict=True)
        if digest != listed.sha256
    ]
    if not wrong:
        return ()
    faults = [Fault("", f"{path.name} has another sha256 than the manifest says") for path, _ in wrong]
    for path, listed in wrong:
        if path.stat().st_size != listed.nbytes:
            faults.append(
                Fault("", f"{path.name} has {path.stat().st_size:,} bytes, the manifest says {listed.nbytes:,}")
            )
        if file_sha256(path, GgufError, listed.header_bytes) != listed.header_sha256:
            faults.append(Fault("", f"{path.name}: the header, which holds keys and places of tensors, is another"))
    return (*faults, *_tensors(file, manifest, threads))


def _tensors(file: GgufSet, manifest: Manifest, threads: int | None) -> Iterator[Fault]:
    """Faults of single tensors: missing, added, of another type or with other bytes."""
    digests = tensors_sha256(file, threads)
    found = {ref.name: ref for ref in file.tensors}
    for name, listed in manifest.tensors.items():
        if name not in found:
            yield Fault(name, "the manifest lists it, and it is missing")
        elif found[name].dtype != listed.type:
            yield Fault(name, f"its type is {found[name].dtype}, the manifest says {listed.type}")
        elif digests[name] != listed.sha256:
            yield Fault(name, "its bytes are not those that the manifest tells of")
    for name in found:
        if name not in manifest.tensors:
            yield Fault(name, "the manifest does not list it")
