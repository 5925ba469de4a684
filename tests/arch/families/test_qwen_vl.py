"""Whether the config class of Qwen3-VL takes a config decides which defaults reach the metadata."""

from __future__ import annotations

from typing import Any

import pytest

from ggufpress.arch.config import Config
from ggufpress.arch.families.qwen_vl import describe
from tests.tiny.families import FAMILY_CASES


@pytest.mark.parametrize(
    ("rope", "n_layers"),
    [(None, 3), ({"rope_type": "linear", "factor": 2.0}, 3), ({"type": "linear", "factor": 4}, 0)],
)
def test_a_config_that_its_class_refuses_has_no_default_of_it(rope: dict[str, Any] | None, n_layers: int) -> None:
    text = FAMILY_CASES["qwen3-vl-few-keys"].config["text_config"]
    arch = describe(Config(text | {"rope_scaling": rope}, "config.json"), "Qwen3VLForConditionalGeneration")
    assert dict(arch.metadata)["qwen3vl.n_deepstack_layers"].data == n_layers
