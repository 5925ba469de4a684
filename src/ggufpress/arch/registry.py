"""Which description takes which checkpoint: one table from class name to function."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.families import (
    apertus,
    bailing,
    bloom,
    cohere,
    dbrx,
    deepseek,
    deepseek_mla,
    deepseek_sparse,
    dream,
    ernie,
    exaone,
    falcon,
    falcon_h1,
    gemma,
    gemma3,
    glm4,
    glm_moe,
    gpt2,
    gpt_oss,
    gptneox,
    granite,
    granite_hybrid,
    granite_moe,
    hunyuan,
    internlm,
    jamba,
    kimi_linear,
    lfm2,
    llama,
    llama4,
    mamba,
    minicpm,
    minimax,
    mistral3,
    mpt,
    nemotron,
    nemotron_h,
    olmo,
    openelm,
    orion,
    phi2,
    phi3,
    plamo,
    qwen,
    qwen_moe,
    qwen_next,
    qwen_vl,
    refact,
    rwkv6,
    rwkv7,
    seed_oss,
    stablelm,
    starcoder,
    starcoder2,
    xverse,
)
from ggufpress.arch.pooling import pooling_metadata
from ggufpress.arch.spec import Arch
from ggufpress.arch.stored import stored_metadata
from ggufpress.arch.text_half import text_half
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
    deepseek,
    deepseek_mla,
    seed_oss,
    phi2,
    orion,
    nemotron,
    exaone,
    gpt2,
    bloom,
    falcon,
    deepseek,
    deepseek_mla,
    granite_moe,
    gpt_oss,
    llama4,
    mamba,
    falcon_h1,
    jamba,
    granite_hybrid,
    lfm2,
    qwen_next,
    rwkv6,
    rwkv7,
    nemotron_h,
    plamo,
    kimi_linear,
    dbrx,
    minimax,
    bailing,
    glm_moe,
    deepseek_sparse,
    apertus,
    dream,
    ernie,
    gemma3,
    glm4,
    gptneox,
    hunyuan,
    internlm,
    minicpm,
    mistral3,
    mpt,
    openelm,
    phi3,
    qwen_vl,
    refact,
    starcoder,
    xverse,
)

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
            f"{path}: the model class {name} is not supported yet",
            hint=f"supported classes with the nearest names: {', '.join(near)}",
        )
    arch = DESCRIBE[hf_class](config, hf_class)
    if arch.stored:
        arch = replace(arch, leading=stored_metadata(checkpoint, arch))
    if arch.pooled:
        arch = replace(arch, metadata=arch.metadata + pooling_metadata(checkpoint, arch.name))
    return arch
