"""State-space, recurrent and hybrid families: configs that are refused, and slabs that cut their tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ggufpress import quantize
from ggufpress.arch.config import Config
from ggufpress.arch.families.mamba import original_class
from ggufpress.arch.registry import all_described
from ggufpress.errors import ConfigError, UnsupportedError
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import make, shapes


@pytest.mark.parametrize("name", ["falcon-h1-factors", "qwen3.5-moe-stacked", "rwkv6-qwen2", "kimi-linear"])
def test_files_do_not_depend_on_where_slabs_are_cut(name: str, tmp_path: Path) -> None:
    source = make(FAMILY_CASES[name], tmp_path / "source")
    whole, cut = (
        quantize(source, ["F16"], output=tmp_path / str(memory), threads=1, memory=memory, layout="convert").files[0]
        for memory in (64 << 20, 1 << 17)
    )
    assert whole.sha256 == cut.sha256


@pytest.mark.parametrize(("name", "change", "message"), [
    ("mamba-original", {"d_inner": 65}, "d_inner is 65"),
    ("mamba2-codestral", {"n_groups": 3}, "into 3 groups"),
    ("falcon-h1-factors", {"ssm_multipliers": [1.0] * 4}, "ssm_multipliers is .* a list of 5 numbers"),
    ("falcon-h1-factors", {"mamba_n_groups": 5}, "mamba_d_ssm is 96"),
    ("falcon-h1-factors", {"hidden_act": "gelu"}, "activation"),
    ("granite-hybrid-dense", {"layer_types": ["mamba"]}, "layer_types is .* a list of 3"),
    ("granite-hybrid-dense", {"layer_types": None}, "attn_layer_period is missing"),
    ("bamba", {"attn_layer_indices": [7]}, "attn_layer_indices is .* below 2"),
    ("lfm2-moe", {"layer_types": None}, "layer_types is missing"),
    ("qwen3-next-mtp", {"linear_num_value_heads": 5}, "linear_num_value_heads is 5, a multiple of the 2 key heads"),
    ("qwen3-next-mtp", {"linear_num_value_heads": 1 << 30}, "at most 4096"),
    ("qwen3-next-mtp", {"mtp_num_hidden_layers": 1 << 30}, "mtp_num_hidden_layers"),
    ("rwkv6-halved", {"rescale_every": None}, "rescale_every is missing"),
    ("arwkv7-no-gate", {"wkv_version": 6}, "wkv_version must be 7"),
    ("kimi-linear", {"linear_attn_config": None}, "linear_attn_config is missing"),
    ("nemotron-h", {"hybrid_override_pattern": "M*?"}, "hybrid_override_pattern is 'M\\*\\?', 3 layers"),
    ("nemotron-h-moe-mtp", {"num_nextn_predict_layers": 2}, "num_nextn_predict_layers is 2"),
    ("plamo3", {"sliding_window_pattern": "x"}, "sliding_window_pattern is 'x'"),
])  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused_by_name(name: str, change: dict[str, Any], message: str) -> None:
    case = FAMILY_CASES[name]
    config = Config(case.config | change, "config.json", shapes(case))
    hf_class = case.config["architectures"][0]
    with pytest.raises((ConfigError, UnsupportedError), match=f"config.json.*{message}"):
        all_described()[hf_class](config, hf_class)


@pytest.mark.parametrize(("config", "found"), [
    ({"ssm_cfg": {}}, ["MambaForCausalLM"]), ({"ssm_cfg": {"layer": "Mamba2"}}, ["Mamba2ForCausalLM"]), ({}, None),
    ({"ssm_cfg": 3}, None),
])  # fmt: skip
def test_original_checkpoints_name_no_class(config: dict[str, Any], found: list[str] | None) -> None:
    assert original_class(Config(config, "config.json")) == found


def test_without_the_tensors_of_predicting_layers_the_config_does_not_count() -> None:
    case = FAMILY_CASES["qwen3-next-mtp"]
    names = [name for name in shapes(case) if not name.startswith("mtp.")]
    config = Config(case.config | {"mtp_num_hidden_layers": 1}, "config.json", names)
    keys = dict(all_described()["Qwen3NextForCausalLM"](config, "Qwen3NextForCausalLM").metadata)
    assert keys["qwen3next.block_count"].data == 2
    assert "qwen3next.nextn_predict_layers" not in keys
