"""Which description takes which checkpoint: one table from class name to function."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from ggufpress.arch import families
from ggufpress.arch.beside import beside_metadata
from ggufpress.arch.config import Config
from ggufpress.arch.families import mamba
from ggufpress.arch.generation import generation_metadata
from ggufpress.arch.pooling import pooling_metadata
from ggufpress.arch.spec import Arch
from ggufpress.arch.stored import stored_metadata
from ggufpress.arch.supported import supported
from ggufpress.arch.text_half import text_half
from ggufpress.errors import ConfigError, UnsupportedError
from ggufpress.source.checkpoint import Checkpoint

Describe = Callable[[Config, str], Arch]

GUIDE = "docs/guides/add-an-architecture.md"


@cache
def all_families() -> tuple[ModuleType, ...]:
    """Every module of families/: what a new one describes is known at once."""
    return tuple(
        import_module(f"{families.__name__}.{module.name}") for module in pkgutil.iter_modules(families.__path__)
    )


@cache
def all_described() -> Mapping[str, Describe]:
    """By class name the function that describes it."""
    return {name: family.describe for family in all_families() for name in family.CLASSES}


def describe(checkpoint: Checkpoint) -> Arch:
    """The description of `checkpoint`'s architecture.

    Raises UnsupportedError for a class that no family takes, ConfigError for a config that makes no sense.
    """
    path = str(checkpoint.root / "config.json")
    config = Config(checkpoint.config, path, checkpoint.tensors)
    classes = config.find("architectures") or mamba.original_class(config)
    if not isinstance(classes, list) or not classes or not isinstance(classes[0], str):
        raise ConfigError(f"{path}: architectures {'is missing' if classes is None else f'is {classes!r:.60}'}, "
                          "a list with the name of the model's class was expected")  # fmt: skip
    config, hf_class = text_half(config, classes[0])
    describe_class = _describing(hf_class)
    if describe_class is None:
        name, known = f"{hf_class:.80}", all_described()
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5) or sorted(known)[:3]
        raise UnsupportedError(
            f"{path}: the model class {name} is not supported yet"
            + ("; the code that auto_map names is never run" if config.find("auto_map") else ""),
            hint=f"supported classes with the nearest names: {', '.join(near)}; how to add one: {GUIDE}",
        )
    arch = describe_class(config, hf_class)
    if arch.stored:
        arch = replace(arch, leading=stored_metadata(checkpoint, arch))
    if arch.beside:
        arch = replace(arch, leading=arch.leading + beside_metadata(checkpoint, arch))
    if arch.generation:
        arch = replace(arch, metadata=arch.metadata + generation_metadata(checkpoint, arch.generation))
    if arch.pooled:
        pooling = pooling_metadata(checkpoint, arch.name, arch.classifier_pooling)
        arch = replace(arch, metadata=arch.metadata + pooling + arch.pooled_keys)
    return arch


def _describing(hf_class: str) -> Describe | None:
    """The function for a class. Of a family in the table only that module is loaded: there are more than a hundred."""
    listed = next((row.family for row in supported() if row.hf_class == hf_class), None)
    path = f"{families.__name__}.{listed}"
    if listed and find_spec(path):
        family = import_module(path)
        if hf_class in family.CLASSES:
            describe_class: Describe = family.describe
            return describe_class
    return all_described().get(hf_class)
