"""Where a file stands in a repository, so that llama.cpp's `-hf REPO:TAG` and Ollama's `hf.co/REPO:TAG` find it.

Source: TREE common/download.cpp (`find_best_model`, `gguf_filename_is_model`, `get_gguf_split_info`); Hugging Face
huggingface.js packages/tasks/src/gguf.ts (the label of a file: the last name of a type in it); docs/hub/ollama.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from ggufpress.recipe.presets import ALL

SUFFIX = ".gguf"
NOT_A_MODEL = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")
"""What a file's name holds that llama.cpp does not take for a model's."""

_SHARD = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf", re.IGNORECASE)
_OTHERS = ("Q3_K_XL", "Q4_K_XL", "Q5_K_XL", "Q6_K_XL", "Q8_K_XL")
_TYPES = sorted([*(preset.name for preset in ALL), *_OTHERS], key=len, reverse=True)
_LABEL = re.compile(rf"(?:UD-)?(?:{'|'.join(_TYPES)})(?:_[A-Z]+)?")
_ENDS_IN_TAG = re.compile(r"[-.]([A-Z0-9_]+)", re.IGNORECASE)


def type_label(path: str) -> str | None:
    """The type that the Hub, and so Ollama, reads in a file's name: the last there is, in capitals.

    Example: `type_label("model-F16-q4_k_m.gguf") == "Q4_K_M"`
    """
    found = _LABEL.findall(PurePosixPath(path).name.upper())
    return found[-1] if found else None


def is_model(path: str) -> bool:
    """Whether llama.cpp takes a file of this name for a model."""
    name = PurePosixPath(path).name
    return path.endswith(SUFFIX) and not any(part in name for part in NOT_A_MODEL)


def shard_of(path: str) -> tuple[str, int, int] | None:
    """What a shard's name starts with, its number from 1 and how many there are; None for a whole file."""
    match = _SHARD.fullmatch(path)
    return (match[1], int(match[2]), int(match[3])) if match else None


def repository_path(name: str, type_name: str | None) -> str:
    """Where the file called `name`, of type `type_name`, stands in a repository: shards in a folder of their type.

    A name without the type gets it. Example: `repository_path("model.gguf", "Q8_0") == "model-Q8_0.gguf"`
    """
    shard = shard_of(name)
    stem = shard[0] if shard else name.removesuffix(SUFFIX)
    if type_name and is_model(name) and type_label(f"{stem}{SUFFIX}") is None:
        stem = f"{stem}-{type_name}"
    if shard is None:
        return f"{stem}{SUFFIX}"
    folder = type_label(f"{stem}{SUFFIX}") or stem
    return f"{folder}/{stem}-{shard[1]:05d}-of-{shard[2]:05d}{SUFFIX}"


def imatrix_path(name: str, model: str) -> str:
    """Where an importance matrix stands: under a name that no program takes for a model's."""
    suffix = PurePosixPath(name).suffix or ".dat"
    return name if "imatrix" in name and type_label(name) is None else f"{model}-imatrix{suffix}"


def llama_cpp_file(paths: Iterable[str], tag: str) -> str | None:
    """The file, or first shard, that llama.cpp's `-hf REPO:TAG` loads from a repository with these files in this order."""
    wanted = re.compile(re.escape(tag) + "[.-]", re.IGNORECASE)
    for path in paths:
        shard = shard_of(path)
        if is_model(path) and wanted.search(path) and (shard is None or shard[1] == 1 or shard[2] == 1):
            return path
    return None


def ollama_file(paths: Iterable[str], tag: str) -> str | None:
    """The file that Ollama's `hf.co/REPO:TAG` loads: by its label, or by its whole name. It loads no shards."""
    whole = [path for path in paths if is_model(path) and shard_of(path) is None]
    return next((path for path in whole if type_label(path) == tag.upper() or path == tag), None)


def tag_of(path: str, paths: Sequence[str]) -> str | None:
    """The tag by which both programs find `path` among `paths`, None where a name stands in another's way.

    A shard needs llama.cpp's alone.
    """
    label = type_label(path)
    if label is None or llama_cpp_file(paths, label) != path:
        return None
    return label if shard_of(path) or ollama_file(paths, label) == path else None
