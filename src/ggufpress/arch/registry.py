"""Which description takes which checkpoint: one table from class name to function."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import ModuleType

from ggufpress.arch import families
from ggufpress.arch.config import Config
from ggufpress.arch.families import mamba
from ggufpress.arch.pooling import pooling_metadata
from ggufpress.arch.spec import Arch
from ggufpress.arch.stored import stored_metadata
from ggufpress.arch.text_half import text_half
from ggufpress.errors import ConfigError, UnsupportedError
from ggufpress.source.checkpoint import Checkpoint

FAMILIES: tuple[ModuleType, ...] = tuple(
    import_module(f"{families.__name__}.{module.name}") for module in pkgutil.iter_modules(families.__path__)
)
"""Every module of families/: what a new one describes is known at once."""

GUIDE = "docs/guides/add-an-architecture.md"

DESCRIBE: dict[str, Callable[[Config, str], Arch]] = {
    name: family.describe for family in FAMILIES for name in family.CLASSES
}


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
    if hf_class not in DESCRIBE:
        name = f"{hf_class:.80}"
        near = difflib.get_close_matches(name, DESCRIBE, n=3, cutoff=0.5) or sorted(DESCRIBE)[:3]
        raise UnsupportedError(
            f"{path}: the model class {name} is not supported yet"
            + ("; the code that auto_map names is never run" if config.find("auto_map") else ""),
            hint=f"supported classes with the nearest names: {', '.join(near)}; how to add one: {GUIDE}",
        )
    arch = DESCRIBE[hf_class](config, hf_class)
    if arch.stored:
        arch = replace(arch, leading=stored_metadata(checkpoint, arch))
    if arch.pooled:
        pooling = pooling_metadata(checkpoint, arch.name, arch.classifier_pooling)
        arch = replace(arch, metadata=arch.metadata + pooling + arch.pooled_keys)
    return arch
