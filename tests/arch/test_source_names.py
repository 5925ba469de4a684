from __future__ import annotations

from pathlib import Path

import pytest

from ggufpress.arch.config import Config
from ggufpress.arch.families import llama
from ggufpress.arch.source_names import is_media, rule_name, rule_names
from ggufpress.errors import MappingError
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from tests.tiny_checkpoints import LLAMA


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("language_model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("model.language_model.norm.weight", "model.norm.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("thinker.model.norm.weight", "model.norm.weight"),
        ("model.thinker.norm.weight", "model.thinker.norm.weight"),
    ],
)
def test_only_the_beginning_of_a_name_is_replaced(stored: str, expected: str) -> None:
    assert rule_name(stored, (("thinker.", ""),)) == expected


@pytest.mark.parametrize(
    "name",
    [
        "vision_tower.encoder.layers.0.x.weight", "model.vision_tower.x.bias", "visual.blocks.0.x.weight", "mlp1.0.weight",
        "model.visual.patch_embed.proj.weight", "multi_modal_projector.linear_1.weight", "audio_tower.conv1.weight",
        "image_newline", "model.connector.modality_projection.proj.weight", "talker.model.norm.weight",
    ],
)  # fmt: skip
def test_names_of_the_other_half(name: str) -> None:
    assert is_media(name)


@pytest.mark.parametrize(
    "name", ["model.layers.0.mlp.up_proj.weight", "lm_head.weight", "model.division.weight", "television.weight", "mlp",
             "model.layers.0.self_attn.supervision.weight", "vitality.weight"]
)  # fmt: skip
def test_names_that_are_not(name: str) -> None:
    assert not is_media(name)


def test_two_tensors_under_one_name_are_refused() -> None:
    names = ("model.norm.weight", "language_model.model.norm.weight")
    refs = {name: TensorRef(name, "F32", (4,), Path("model.safetensors"), 0, 16) for name in names}
    arch = llama.describe(Config(LLAMA, "config.json"), "LlamaForCausalLM")
    with pytest.raises(
        MappingError, match=r"model\.norm\.weight and language_model\.model\.norm\.weight both stand for"
    ):
        rule_names(Checkpoint(Path(), LLAMA, refs), arch)
