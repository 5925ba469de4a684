"""Which description takes which checkpoint: one table from class name to function."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.families import (
    bert,
    bloom,
    cohere,
    euro_bert,
    exaone,
    falcon,
    gemma,
    gpt2,
    granite,
    jina_bert,
    llama,
    modern_bert,
    nemotron,
    neo_bert,
    olmo,
    orion,
    phi2,
    qwen,
    qwen_moe,
    roberta,
    seed_oss,
    stablelm,
    starcoder2,
    t5,
)
from ggufpress.arch.pooling import pooling_metadata
from ggufpress.arch.spec import Arch
from ggufpress.errors import ConfigError, UnsupportedError
from ggufpress.source.checkpoint import Checkpoint

FAMILIES = (
    llama,
    qwen,
    qwen_moe,
    starcoder2,
    olmo,
    granite,
    gemma,
    stablelm,
    cohere,
    seed_oss,
    phi2,
    orion,
    nemotron,
    exaone,
    gpt2,
    bloom,
    falcon,
    bert,
    roberta,
    modern_bert,
    neo_bert,
    euro_bert,
    jina_bert,
    t5,
)

DESCRIBE: dict[str, Callable[[Config, str], Arch]] = {
    name: family.describe for family in FAMILIES for name in family.CLASSES
}


def describe(checkpoint: Checkpoint) -> Arch:
    """The description of `checkpoint`'s architecture.

    Raises UnsupportedError for a class that no family takes, ConfigError for a config that makes no sense.
    """
    path = str(checkpoint.root / "config.json")
    config = Config(checkpoint.config, path)
    classes = config.find("architectures")
    if not isinstance(classes, list) or not classes or not isinstance(classes[0], str):
        raise ConfigError(f"{path}: architectures {'is missing' if classes is None else f'is {classes!r:.60}'}, "
                          "a list with the name of the model's class was expected")  # fmt: skip
    if classes[0] not in DESCRIBE:
        name = f"{classes[0]:.80}"
        near = difflib.get_close_matches(name, DESCRIBE, n=3, cutoff=0.5) or sorted(DESCRIBE)[:3]
        raise UnsupportedError(
            f"{path}: the model class {name} is not supported yet",
            hint=f"supported classes with the nearest names: {', '.join(near)}",
        )
    arch = DESCRIBE[classes[0]](config, classes[0])
    if arch.pooled:
        pooling = pooling_metadata(checkpoint, arch.name, arch.classifier_pooling)
        arch = replace(arch, metadata=arch.metadata + pooling + arch.pooled_keys)
    return arch
