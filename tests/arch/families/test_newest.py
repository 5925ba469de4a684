"""The newest families: configs that are refused, and slabs that cut their tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ggufpress import quantize
from ggufpress.arch.config import Config
from ggufpress.arch.families.kimi_k3 import Product
from ggufpress.arch.registry import all_described
from ggufpress.arch.text_half import text_half
from ggufpress.errors import ConfigError, MappingError, UnsupportedError
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import make, shapes


@pytest.mark.parametrize("name", ["granite-switch", "kimi-k3", "muse-glimmer"])
def test_files_do_not_depend_on_where_slabs_are_cut(name: str, tmp_path: Path) -> None:
    source = make(FAMILY_CASES[name], tmp_path / "source")
    whole, cut = (
        quantize(source, ["F16"], output=tmp_path / str(memory), threads=1, memory=memory, layout="convert").files[0]
        for memory in (64 << 20, 1 << 17)
    )
    assert whole.sha256 == cut.sha256


def test_two_vectors_become_their_product() -> None:
    one, other = np.array([[1.5, -2.0, 3.0], [2.0, 0.5, 0.1]], np.float32)
    gather = Product()
    assert list(gather.runs((2, 3), 1, 2)) == [(1, 2), (4, 2)]
    product = gather.arrange(np.concatenate([one, other]).view(np.uint32), (2, 3)).view(np.float32)
    assert np.array_equal(product, one * other)
    with pytest.raises(MappingError, match="no pair of vectors"):
        gather.out_shape((3, 2))


@pytest.mark.parametrize(("name", "change", "message"), [
    ("cogvlm", {"rope_scaling": {"rope_type": "llama3"}}, "rope_scaling is llama3's"),
    ("ling3-mtp", {"no_kda_lora": False}, "no_kda_lora is False"),
    ("ling3-mtp", {"expert_swiglu_limit_list": ["x"]}, "expert_swiglu_limit_list .* a list of numbers"),
    ("ling3-vision", {"mrope_section": [1, 1, 1]}, "mrope_section .* half of qk_rope_head_dim, 8"),
    ("minimax-01", {"layernorm_mlp_alpha": 1.0}, "one layernorm_"),
    ("kimi-k3", {"hidden_act": "silu"}, "hidden_act is 'silu'"),
    ("kimi-k3", {"linear_attn_config": None}, "linear_attn_config is missing"),
    ("glm5-mtp", {"qk_rope_head_dim": 8}, "without rotation"),
    ("glm5-mtp", {"layer_types": []}, "layer_types .* a list of 3"),
    ("glm5-mtp", {"indexer_types": 1}, "indexer_types is 1"),
    ("hy4", {"indexer_types": ["shared", "full"]}, "indexer_types .* the first of them full"),
    ("hy4", {"mlp_layer_types": ["sparse", "dense"]}, "mlp_layer_types"),
    ("dots3-mtp", {"use_dsa": False}, "use_dsa is False"),
    ("dots3-mtp", {"swa_head_dim": 41}, "swa_head_dim is 41, the sum of its two parts, 40"),
    ("dots3-mtp", {"layer_types": ["x"]}, "layer_types .* a list of 2"),
    ("granite-switch", {"adapter_token_ids": []}, "adapter_token_ids .* a list of token ids"),
    ("nemotron-puzzle", {"block_configs": [1]}, "block_configs .* a list with an object for each layer"),
    ("muse-glimmer", {"layer_types": None}, "layer_types is missing"),
    ("wavtokenizer", {"posnet": {"n_embd": 64, "n_layer": 1 << 20}}, "n_layer is 1048576, at most 4096"),
])  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused_by_name(name: str, change: dict[str, Any], message: str) -> None:
    case = FAMILY_CASES[name]
    config, hf_class = text_half(Config(case.config, "config.json", shapes(case)), case.config["architectures"][0])
    with pytest.raises((ConfigError, UnsupportedError), match=f"config.json.*{message}"):
        all_described()[hf_class](config.replace(**change), hf_class)
