"""Names of the checkpoint's tensors as the rules have them, and which tensors belong to vision or audio.

A multimodal checkpoint holds its language model under a prefix of its own; the rules are written without it.
Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`filter_tensors` of ModelBase and TextModel).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ggufpress.arch.spec import Arch
from ggufpress.errors import MappingError
from ggufpress.source.checkpoint import Checkpoint, TensorRef

LANGUAGE_MODEL = (("model.language_model.", "model."), ("language_model.", ""))
"""Where multimodal checkpoints hold their language model, and what stands there without it."""

MEDIA_REASON = "it belongs to the vision or audio part, which is a file of its own in llama.cpp"
FIRST_PART = re.compile(
    r"(mlp|vit|vpm|siglip2|conformer|merger|resampler|sound_encoder|sound_projection|speech_embeddings)([\d_].*)?"
)
"""What the first part of a name is in other halves: InternVL's mlp1, PaddleOCR's mlp_AR."""

PART = re.compile(
    r"(.*_)?(visual|vision|audio|talker|token2wav|code2wav|projector|patch_merger|patch_merge_mlp"
    r"|(vision|audio|patch_embed|pre_mm_projector_norm|image_newline|view_seperator)(_.*|ding)?)"
)
"""What some part of a name is there: vision_tower, multi_modal_projector, patch_embedding."""


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


def is_media(name: str) -> bool:
    """Whether a tensor that no rule takes belongs to the vision or audio part of a multimodal model."""
    parts = name.split(".")
    if len(parts) > 1 and FIRST_PART.fullmatch(parts[0]):
        return True
    return name.startswith("model.connector.") or any(PART.fullmatch(part) for part in parts)
