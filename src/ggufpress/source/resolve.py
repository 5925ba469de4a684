"""SOURCE, as a person writes it, to a Checkpoint. The one place that knows which kinds of sources there are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, Unpack

from ggufpress.errors import CheckpointError, UsageError
from ggufpress.gguf.shards import GgufSet, read_gguf_set
from ggufpress.hub.address import HubAddress, explicit_address, short_address
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.folder import open_checkpoint


class HubOptions(TypedDict, total=False):
    """How a source on the Hub is read; None and False where nothing is asked for.

    `revision` is a branch, tag or commit. `token` takes the place of the saved login. `say` is told in a sentence what
    takes long.
    """

    revision: str | None
    token: str | None
    say: Callable[[str], None] | None


def resolve(source: str | os.PathLike[str], **options: Unpack[HubOptions]) -> Checkpoint | GgufSet:
    """The checkpoint in the folder or on the Hub that `source` names, or the GGUF file, which may be any shard of a set.

    A folder or file that exists wins over a repository of the same name. Raises CheckpointError for what is no
    checkpoint, GgufError for a GGUF file that is broken or whose other shards are missing, UsageError for addresses that
    name no model, RepositoryError and HubError for repositories that cannot be read.
    """
    text = os.fspath(source)
    if address := explicit_address(text):
        return _on_the_hub(text, address, options)
    path = Path(text)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise CheckpointError(f"{text} cannot be read: {error.strerror}") from error
    if (is_folder or exists) and options.get("revision"):
        raise UsageError(f"--revision is for sources on the Hub, and {text} is on this machine", hint="leave it out")
    if is_folder:
        # the reference names a model by its folder: `.` and `..` have none
        return open_checkpoint(path if path.name not in ("", "..") else path.resolve())
    if exists:
        return _a_file(path)
    if address := short_address(text):
        return _on_the_hub(text, address, options)
    raise CheckpointError(
        f"{text!r} does not exist", hint="give a folder with config.json and safetensors files, or ORG/NAME on the Hub"
    )


def _a_file(path: Path) -> GgufSet:
    if path.suffix.lower() == ".gguf":
        return read_gguf_set(path)
    raise CheckpointError(f"{path} is a file", hint=f"give the folder that holds it: {path.parent}")


def _on_the_hub(text: str, address: HubAddress, options: HubOptions) -> Checkpoint:
    revision = options.get("revision")
    if revision and address.revision and revision != address.revision:
        raise UsageError(f"{text} and --revision {revision} name two revisions", hint="leave one out")
    address = HubAddress(address.repo, address.revision or revision, address.file)
    # only now: the Hub's library takes longer to import than a small model to convert
    from ggufpress.hub.session import Session  # noqa: PLC0415
    from ggufpress.hub.source import open_on_hub  # noqa: PLC0415

    session = Session(options.get("token"), say=options.get("say") or (lambda _: None))
    return open_on_hub(session, address)
