"""A checkpoint from a local folder: config.json, and the safetensors files that the index or their names tell of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ggufpress.errors import CheckpointError, UnsupportedError
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from ggufpress.source.safetensors import read_header

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
SUFFIX = ".safetensors"
PICKLES = ("pytorch_model", "consolidated", "model")
PICKLE_SUFFIXES = (".bin", ".pt", ".pth")
LISTED = 5

Headers = Callable[[Sequence[str]], Iterable[list[TensorRef]]]
"""Reads the headers of the safetensors files of these names, in their order."""
LONGEST_SHOWN = 80


def open_checkpoint(root: Path) -> Checkpoint:
    """The checkpoint in the folder `root`, from its config and the headers of its safetensors files.

    Raises CheckpointError where something is missing, broken or contradicts the index, UnsupportedError for pickles.
    """
    return assembled(
        Checkpoint(root, {}, {}), _file_names(root), lambda shards: [read_header(root / shard) for shard in shards]
    )


def assembled(blank: Checkpoint, names: Sequence[str], headers: Headers) -> Checkpoint:
    """`blank` with its config and the tensors of its safetensors files. `names` are the files of its folder.

    Files and tensors are found and ordered as by llama.cpp (conversion/base.py, `index_tensors`): the files of the
    index, or without one all model*.safetensors, by name; in each the tensors by name.
    Raises as `open_checkpoint`.
    """
    root = blank.root
    if CONFIG not in names:
        raise _no_config(root, names)
    config = blank.read_json(CONFIG)
    if not isinstance(config, dict):
        raise CheckpointError(f"{root / CONFIG} does not hold a JSON object")
    if INDEX in names:
        index = _weight_map(blank)
        tensors = _tensors(root, names, index.values(), headers)
        _check_against_index(root, tensors, index)
    else:
        shards = [name for name in names if name.startswith("model") and name.endswith(SUFFIX)]
        if not shards:
            raise _no_weights(root, names)
        tensors = _tensors(root, names, shards, headers)
    if not tensors:
        raise CheckpointError(f"{root}: the safetensors files hold no tensor")
    return replace(blank, config=config, tensors=tensors)


def _file_names(root: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in root.iterdir())
    except FileNotFoundError:
        raise CheckpointError(f"{root} does not exist") from None
    except NotADirectoryError:
        raise CheckpointError(f"{root} is not a folder", hint="give the folder that holds config.json") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{root} cannot be read: {error}") from error


def _no_config(root: Path, names: Sequence[str]) -> CheckpointError:
    if not names:
        return CheckpointError(f"{root} is empty", hint="give a folder with config.json and model.safetensors")
    return CheckpointError(f"{root / CONFIG} is missing", hint="give the folder of a Hugging Face checkpoint")


def _no_weights(root: Path, names: Sequence[str]) -> CheckpointError | UnsupportedError:
    for name in names:
        if name.startswith(PICKLES) and name.endswith(PICKLE_SUFFIXES):
            return UnsupportedError(
                f"{root} has its weights in {name}, a pickle, which can run code and is never opened",
                hint="convert it to safetensors, or look for a safetensors version of the model",
            )
    for name in names:
        if name.endswith(SUFFIX):
            return UnsupportedError(
                f"{root} has no model*{SUFFIX}, and other names such as {name} are not read",
                hint="look for the version of the model that transformers reads",
            )
    return CheckpointError(f"{root} has no model*{SUFFIX}", hint="the weights were not downloaded")


def _weight_map(checkpoint: Checkpoint) -> dict[str, str]:
    """Tensor name -> file name, from the index. Every value is the name of a file in the folder itself."""
    path = checkpoint.root / INDEX
    index = checkpoint.read_json(INDEX)
    weight_map: Any = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{path} has no weight_map with the names of tensors and files")
    plain = {file for file in weight_map.values() if isinstance(file, str)}
    plain = {file for file in plain if _is_plain(file)}
    for tensor, file in weight_map.items():
        if not isinstance(file, str) or file not in plain:
            said = _shown(file) if isinstance(file, str) else type(file).__name__
            raise CheckpointError(
                f"{path}: tensor {_shown(tensor)} is said to be in {said}, which is not the name of a {SUFFIX} file"
            )
    return weight_map


def _is_plain(name: object) -> bool:
    return (
        isinstance(name, str)
        and name.endswith(SUFFIX)
        and name != SUFFIX
        and len(name.encode("utf-8", "replace")) <= 255
        and not any(char in "/\\:" or not char.isprintable() for char in name)
    )


def _tensors(root: Path, names: Sequence[str], shards: Iterable[str], headers: Headers) -> dict[str, TensorRef]:
    """Every tensor of the shards, by name, in the reference's order."""
    shards = sorted(set(shards))
    present = set(names)
    missing = [name for name in shards if name not in present]
    if missing:
        raise CheckpointError(
            f"{root}: {len(missing)} of the {len(shards)} files named in {INDEX} are missing: "
            f"{_some(map(_shown, missing))}",
            hint="download the model again, or only these files",
        )
    tensors: dict[str, TensorRef] = {}
    for shard, refs in zip(shards, headers(shards), strict=True):
        for ref in refs:
            if ref.name in tensors:
                raise CheckpointError(
                    f"{root}: tensor {ref.name!r} is in both {tensors[ref.name].file.name} and {shard}",
                    hint="move away the file that does not belong to the model",
                )
            tensors[ref.name] = ref
    return tensors


def _check_against_index(root: Path, tensors: Mapping[str, TensorRef], index: Mapping[str, str]) -> None:
    missing = sorted(index.keys() - tensors.keys())
    if missing:
        raise CheckpointError(
            f"{root}: {len(missing)} tensors of {INDEX} are not in its files: "
            f"{_some(f'{_shown(name)} ({index[name]})' for name in missing)}",
            hint="the files and the index do not belong together: download the model again",
        )
    extra = sorted(tensors.keys() - index.keys())
    if extra:
        raise CheckpointError(
            f"{root}: {len(extra)} tensors are not in {INDEX}: "
            f"{_some(f'{_shown(name)} ({tensors[name].file.name})' for name in extra)}",
            hint="the files and the index do not belong together: download the model again",
        )


def _shown(name: str) -> str:
    """A name that is not trusted, fit for a terminal."""
    return repr(name) if len(name) <= LONGEST_SHOWN else repr(name[:LONGEST_SHOWN]) + "..."


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - LISTED} more" if len(listed) > LISTED else ""
    return ", ".join(listed[:LISTED]) + more
