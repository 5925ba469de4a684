"""What no recorded file shows: configs that are refused, defaults, and the numbers of Llama 3's rope scaling."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from ggufpress.arch.config import Config
from ggufpress.arch.families.llama import describe
from ggufpress.arch.rope import llama3_factors
from ggufpress.errors import ConfigError
from tests.tiny_checkpoints import LLAMA, LLAMA3_ROPE, MISTRAL, MIXTRAL, YARN, without


def keys(config: dict[str, Any], hf_class: str = "LlamaForCausalLM") -> dict[str, Any]:
    return {key: value.data for key, value in describe(Config(config, "config.json"), hf_class).metadata}


def test_a_llama_config_always_knows_its_head_dim_and_a_mistral_config_does_not() -> None:
    assert keys(LLAMA)["llama.attention.key_length"] == 32
    assert keys(LLAMA | {"head_dim": None})["llama.attention.value_length"] == 32
    assert "llama.attention.key_length" not in keys(MISTRAL)
    assert keys(MISTRAL | {"head_dim": 64})["llama.rope.dimension_count"] == 64


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [
        (LLAMA, "llama.context_length", 2048),
        (MISTRAL, "llama.context_length", 131072),
        (MIXTRAL, "llama.attention.layer_norm_rms_epsilon", 1e-5),
        (MIXTRAL, "llama.rope.freq_base", 1e6),
        (MISTRAL, "llama.attention.head_count_kv", 8),
        (LLAMA, "llama.attention.head_count_kv", 8),
    ],
)
def test_defaults_of_the_config_classes_reach_the_metadata(config: dict[str, Any], key: str, value: float) -> None:
    few = without(config, "max_position_embeddings", "rms_norm_eps", "num_key_value_heads", "rope_theta")
    assert keys(few)[key] == value


def test_a_model_type_that_no_class_takes_is_read_as_it_is() -> None:
    config = without(LLAMA, "model_type", "rms_norm_eps")
    assert "llama.attention.layer_norm_rms_epsilon" not in keys(config)
    names: list[Any] = ["of-my-own", ["llama"], {}, 5]
    for model_type in names:
        assert "llama.rope.freq_base" not in keys(config | {"model_type": model_type})


def test_rope_scaling_without_its_keys_makes_the_class_refuse_the_config() -> None:
    config = LLAMA | {"rope_scaling": {"rope_type": "linear"}}
    assert "llama.rope.freq_base" not in keys(config)
    assert "llama.attention.key_length" not in keys(config)


def test_yarn_needs_the_context_it_was_trained_with() -> None:
    scaling = without(YARN, "original_max_position_embeddings")
    with pytest.raises(ConfigError, match="original_max_position_embeddings is missing"):
        keys(LLAMA | {"rope_scaling": scaling})
    found = keys(LLAMA | {"rope_scaling": scaling, "original_max_position_embeddings": 64})
    assert found["llama.rope.scaling.original_context_length"] == 64


def test_llama3_factors_of_llama_3_2_1b() -> None:
    rope = {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    }
    factors = llama3_factors(Config({"rope_scaling": rope, "rope_theta": 500000.0}, "c"), 64)
    assert factors is not None
    assert factors[:15] == (1.0,) * 15
    assert factors[18:] == (32.0,) * 14
    # computed with torch 2.13.0 as llama.cpp's converter does
    assert [struct.pack("<f", x).hex() for x in factors[15:18]] == ["c25ed33f", "6fb45240", "eeaa1a41"]


@pytest.mark.parametrize("broken", [
    {"factor": 0}, {"low_freq_factor": 4.0}, {"factor": "8"}, {"high_freq_factor": -1},
    {"low_freq_factor": 1e-46, "high_freq_factor": 3e-46, "original_max_position_embeddings": 1e-46, "rope_theta": 1e-3},
])  # fmt: skip
def test_llama3_scaling_that_cannot_be_computed_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="rope_scaling"):
        llama3_factors(Config({"rope_scaling": LLAMA3_ROPE | broken}, "c"), 64)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"num_attention_heads": "8"}, "num_attention_heads is '8'"),
        ({"vocab_size": None}, "vocab_size is missing"),
        ({"hidden_size": 1.5}, "hidden_size is 1.5"),
        ({"rope_scaling": 4}, "rope_scaling is 4"),
        ({"num_hidden_layers": 4294967295}, "num_hidden_layers is 4294967295, at most 4096"),
        ({"head_dim": 1 << 31}, "a head has 2147483648 dimensions"),
        ({"hidden_size": 1 << 31, "num_attention_heads": 1}, "a head has 2147483648 dimensions"),
        ({"scoring_func": ["softmax"]}, r"scoring_func is \['softmax'\], a string was expected"),
    ],
)
def test_a_wrong_key_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        keys(LLAMA | change)
