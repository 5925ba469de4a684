"""Names of the checkpoint's tensors as the rules have them, and which tensors belong to vision or audio.

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

MEDIA_REASON = "it belongs to the vision or audio part, which is a file of its own in llama.cpp"
FIRST_PARTS = ("mlp", "vit", "vpm", "siglip2", "conformer", "merger", "resampler", "sound_encoder", "sound_projection",
               "speech_embeddings")  # fmt: skip
LAST_PARTS = ("visual", "vision", "audio", "talker", "token2wav", "code2wav", "projector", "patch_merger",
              "patch_merge_mlp")  # fmt: skip
INNER_PARTS = ("vision_", "audio_", "pre_mm_projector_norm", "image_newline", "view_seperator", "patch_embed")


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
    return (
        (len(parts) > 1 and parts[0].startswith(FIRST_PARTS))
        or name.startswith("model.connector.")
        or any(part.endswith(LAST_PARTS) for part in parts[:-1])
        or any(inner in part for part in parts for inner in INNER_PARTS)
    )
