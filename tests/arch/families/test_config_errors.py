"""Whatever a config holds, describing it ends in a description or in an error of ggufpress."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from ggufpress.arch.registry import describe
from ggufpress.errors import ConfigError, GgufpressError
from ggufpress.mapping import map_tensors
from ggufpress.source.checkpoint import Checkpoint, TensorRef
from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import TinyCase, shapes, without

BAD: tuple[Any, ...] = (None, "x", -1, 0, 1, [], [1], {"a": 1}, 1e30, 10**12, True, [None], ["x", "x"], 0.3)


def described(case: TinyCase, config: dict[str, Any]) -> None:
    refs = {
        name: TensorRef(name, "BF16", shape, Path("model.safetensors"), 0, 2 * math.prod(shape))
        for name, shape in shapes(case).items()
    }
    checkpoint = Checkpoint(Path("model"), config, refs)
    map_tensors(checkpoint, describe(checkpoint))


def variants(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The config without each key, and with each key changed, also in sections."""
    found = []
    for key, value in config.items():
        found += [without(config, key), *(config | {key: bad} for bad in BAD)]
        if isinstance(value, dict):
            found += [config | {key: inner} for inner in variants(value)]
    return found


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_broken_configs_end_in_our_errors(name: str) -> None:
    case = FAMILY_CASES[name]
    for config in variants(case.config):
        try:
            described(case, config)
        except GgufpressError as error:
            assert str(error).startswith("model")  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("phi3-longrope", {"original_max_position_embeddings": "x"}, "original_max_position_embeddings is 'x'"),
        ("mpt", {"d_model": None}, "d_model is missing, a non-negative integer was expected"),
        ("minicpm3", {"q_lora_rank": None}, "q_lora_rank is missing"),
        ("spark", {"rope_parameters": {}}, "rope_parameters has no full_attention"),
        ("deci-blocks", {"block_configs": [1]}, "block_configs is [1], a list of 3 objects was expected"),
        ("hunyuan", {"max_position_embeddings": 999}, "dynamic rope scaling is known for rope_theta 10000"),
        ("chatglm", {"ffn_hidden_size": 1.5}, "ffn_hidden_size is 1.5, a non-negative integer was expected"),
    ],
)
def test_messages_name_file_and_key(name: str, change: dict[str, Any], message: str) -> None:
    case = FAMILY_CASES[name]
    with pytest.raises(GgufpressError) as caught:
        described(case, case.config | change)
    assert str(caught.value).startswith("model/config.json: ")
    assert message in str(caught.value)


def test_openelm_wants_a_list_per_layer() -> None:
    config = {"architectures": ["OpenELMForCausalLM"], "num_transformer_layers": 2, "model_dim": 8, "head_dim": 4,
              "vocab_size": 8, "num_query_heads": [1], "num_kv_heads": [1, 1], "ffn_multipliers": [1, 1],
              "ffn_dim_divisor": 4}  # fmt: skip
    with pytest.raises(ConfigError, match=r"num_query_heads is \[1\], a list of 2 positive integers was expected"):
        describe(Checkpoint(Path("model"), config, {}))
