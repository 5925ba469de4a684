"""Gemma 3n and 4: rows of zeros, quantiles, and configs that are refused."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from ggufpress.arch.config import Config
from ggufpress.arch.families.gemma3n import normal_quantile
from ggufpress.arch.registry import all_described
from ggufpress.arch.text_half import text_half
from ggufpress.errors import ConfigError
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import make, shapes


@pytest.mark.parametrize("name", ["gemma3n", "gemma4-moe"])
def test_files_do_not_depend_on_where_slabs_are_cut(name: str, tmp_path: Path) -> None:
    source = make(FAMILY_CASES[name], tmp_path / "source")
    whole, cut = (
        quantize(source, ["F16"], output=tmp_path / str(memory), threads=1, memory=memory, layout="convert").files[0]
        for memory in (64 << 20, 1 << 16)
    )
    assert whole.sha256 == cut.sha256


# torch 2.13.0: torch.distributions.normal.Normal(0, 1).icdf(torch.tensor(share))
@pytest.mark.parametrize(("share", "quantile"), [
    (0.95, 1.6448535919189453),
    (0.34787484252980916, -0.39106428623199463), (0.020842599658344563, -2.036648988723755), (0.0, -inf), (1.0, inf),
])  # fmt: skip
def test_quantiles_are_those_of_torch(share: float, quantile: float) -> None:
    assert normal_quantile(share) == quantile


@pytest.mark.parametrize(("name", "change", "message"), [
    ("gemma3n", {"altup_num_inputs": 3}, "altup_num_inputs is 3"),
    ("gemma3n", {"intermediate_size": [96, 0, 64]}, "intermediate_size is .* 3 positive integers"),
    ("gemma3n", {"activation_sparsity_pattern": [2.0, 0.0, 0.0]}, "activation_sparsity_pattern .* 3 numbers from 0 to 1"),
    ("gemma3n", {"layer_types": ["full_attention"], "model_type": "x", "altup_active_idx": 0},
     "layer_types .* a list of 3"),
    ("gemma4-moe", {"layer_types": None}, "layer_types is missing"),
    ("gemma4-moe", {"global_head_dim": None}, "global_head_dim is missing"),
    ("gemma4-moe", {"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "rope_type is 'default', proportional"),
    ("gemma4-moe", {"num_experts": None}, "num_experts is missing"),
    ("gemma4-assistant", {"backbone_hidden_size": None}, "backbone_hidden_size is missing"),
])  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused_by_name(name: str, change: dict[str, Any], message: str) -> None:
    case = FAMILY_CASES[name]
    config, hf_class = text_half(Config(case.config, "config.json", shapes(case)), case.config["architectures"][0])
    with pytest.raises(ConfigError, match=f"config.json.*{message}"):
        all_described()[hf_class](config.replace(**change), hf_class)
