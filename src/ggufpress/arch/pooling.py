"""How a sentence-transformers model pools its outputs: from the small files beside the checkpoint.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`_try_set_pooling_type`).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from ggufpress.errors import CheckpointError, UnsupportedError
from ggufpress.gguf.values import Value, u32
from ggufpress.source.checkpoint import Checkpoint

MODULES = "modules.json"
MODES = {"mean": 1, "cls": 2, "lasttoken": 3}
FLAGS = {"pooling_mode_mean_tokens": 1, "pooling_mode_cls_token": 2, "pooling_mode_lasttoken": 3}


def pooling_metadata(
    checkpoint: Checkpoint, arch: str, classifier_pooling: str | None = None
) -> tuple[tuple[str, Value], ...]:
    """The pooling keys of `arch`, none where the checkpoint has no modules.json and no classifier.

    `classifier_pooling` counts where config.json has no such key.
    Raises CheckpointError for broken files, UnsupportedError for a kind of pooling that llama.cpp lacks.
    """
    keys = []
    if (config := _pooling_config(checkpoint)) is not None:
        kind = next((number for key, number in FLAGS.items() if config.get(key)), None)
        kind = kind or MODES.get(str(config.get("pooling_mode")))
        if kind is None:
            raise UnsupportedError(f"{checkpoint.root / MODULES}: llama.cpp pools by mean, first or last token only")
        keys.append((f"{arch}.pooling_type", u32(kind)))
    if (classifier := checkpoint.config.get("classifier_pooling", classifier_pooling)) is not None:
        if classifier not in ("cls", "mean"):
            raise UnsupportedError(f"{checkpoint.root / 'config.json'}: classifier_pooling is {classifier!r:.40}")
        keys.append((f"{arch}.classifier.pooling_type", u32(MODES[classifier])))
    return tuple(keys)


def _pooling_config(checkpoint: Checkpoint) -> dict[str, Any] | None:
    if not checkpoint.has(MODULES):
        return None
    where = checkpoint.root / MODULES
    modules = checkpoint.read_json(MODULES)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise CheckpointError(f"{where} is no list of modules")
    for module in modules:
        kind, path = module.get("type"), module.get("path")
        if isinstance(kind, str) and kind.endswith("Pooling"):
            if not isinstance(path, str) or path.startswith("/") or ".." in path.split("/"):
                raise CheckpointError(
                    f"{where}: the pooling module's path is {path!r:.60}, a folder beside it was expected"
                )
            name = str(PurePosixPath(path, "config.json"))
            config = checkpoint.read_json(name)
            if not isinstance(config, dict):
                raise CheckpointError(f"{checkpoint.root / name} is no object")
            return config
    return None
