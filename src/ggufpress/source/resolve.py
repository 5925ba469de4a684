"""SOURCE, as a person writes it, to a Checkpoint. The one place that knows which kinds of sources there are."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ggufpress.errors import CheckpointError, UnsupportedError
from ggufpress.gguf.shards import GgufSet, read_gguf_set
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.folder import open_checkpoint

_URL = re.compile(r"(?:hf://|https?://)(?:huggingface\.co/|hf\.co/)?(?:models/)?(.*)", re.IGNORECASE)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(source: str | os.PathLike[str]) -> Checkpoint | GgufSet:
    """The checkpoint in the folder that `source` names, or the GGUF file, which may be any shard of a set.

    Raises UnsupportedError for sources that are not read yet, CheckpointError for a folder that is no checkpoint, GgufError
    for a GGUF file that is broken or whose other shards are missing.
    """
    text = os.fspath(source)
    if match := _URL.match(text):
        raise _on_the_hub(text, "/".join(match[1].split("/")[:2]))
    path = Path(text)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise CheckpointError(f"{text} cannot be read: {error.strerror}") from error
    if is_folder:
        # the reference names a model by its folder: `.` and `..` have none
        return open_checkpoint(path if path.name not in ("", "..") else path.resolve())
    if exists:
        return _a_file(path)
    if _HUB_ID.fullmatch(text):
        raise _on_the_hub(text, text)
    raise CheckpointError(
        f"{text!r} does not exist", hint="give a folder with config.json and model.safetensors or its shards"
    )


def _a_file(path: Path) -> GgufSet:
    if path.suffix.lower() == ".gguf":
        return read_gguf_set(path)
    raise CheckpointError(f"{path} is a file", hint=f"give the folder that holds it: {path.parent}")


def _on_the_hub(text: str, repo: str) -> UnsupportedError:
    hint = None
    if _HUB_ID.fullmatch(repo):
        name = repo.split("/")[1]
        hint = f"download it first: hf download {repo} --local-dir {name}, then give the folder {name}"
    return UnsupportedError(f"{text!r} is no folder here, and only local folders are read so far", hint=hint)
