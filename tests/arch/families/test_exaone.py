"""EXAONE: what a config leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from ggufpress.arch.config import Config
from ggufpress.arch.families.exaone import describe
from tests.tiny.dense import EXAONE, EXAONE4
from tests.tiny_checkpoints import LLAMA3_ROPE, without


@pytest.mark.parametrize(
    ("config", "hf_class", "factor"), [(EXAONE, "ExaoneForCausalLM", 8.0), (EXAONE4, "Exaone4ForCausalLM", 16.0)]
)
def test_a_missing_factor_of_llama3_scaling(config: dict[str, Any], hf_class: str, factor: float) -> None:
    def constants(rope: dict[str, Any]) -> object:
        return describe(Config(config | {"rope_scaling": rope, "sliding_window": 64}, "c"), hf_class).constants

    rope = without(LLAMA3_ROPE, "factor")
    assert constants(rope) == constants(rope | {"factor": factor})
    assert constants(rope) != constants(rope | {"factor": 32.0})
