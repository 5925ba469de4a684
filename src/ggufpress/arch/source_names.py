"""Names of the checkpoint's tensors as the rules have them.

A multimodal checkpoint holds its language model under a prefix of its own; the rules are written without it.
Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`filter_tensors` of ModelBase and TextModel).
"""

from __future__ import annotations

from collections.abc import Mapping

from ggufpress.arch.spec import Arch
from ggufpress.errors import MappingError
from ggufpress.source.checkpoint import Checkpoint, TensorRef

LANGUAGE_MODEL = (("model.language_model.", "model."), ("language_model.", ""))
"""Where multimodal checkpoints hold their language model, and what stands there without it."""


def rule_name(name: str, prefixes: tuple[tuple[str, str], ...] = ()) -> str:
    """The name under which rules look for the tensor `name`: the first prefix that fits is replaced."""
    for old, new in (*prefixes, *LANGUAGE_MODEL):
        if name.startswith(old):
            return new + name[len(old) :]
    return name


def rule_names(checkpoint: Checkpoint, arch: Arch) -> Mapping[str, TensorRef]:
    """The tensors of `checkpoint` in order under the names that the rules have. Raises MappingError where two share one."""
    found: dict[str, TensorRef] = {}
    for ref in checkpoint.tensors.values():
        name = rule_name(ref.name, arch.prefixes)
        for old, new in arch.endings:
            name = name.removesuffix(old) + new if name.endswith(old) else name
        if name in found:
            raise MappingError(f"{checkpoint.root}: {found[name].name} and {ref.name} both stand for {name}")
        found[name] = ref
    return found
