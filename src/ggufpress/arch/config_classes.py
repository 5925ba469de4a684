"""What transformers' config classes add to a config.json: llama.cpp's converter reads it through them.

A checkpoint that leaves a key out therefore gets its class's default in the metadata, and a config that the class
refuses is read as it stands. Which class it is depends on `model_type`, not on `architectures`.
Source: transformers 4.57.6, configuration_utils.py, modeling_rope_utils.py; each family names its own class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ggufpress.arch.config import Config

GENERATION = {"max_length": 20}
"""Defaults of PretrainedConfig itself under names that the converter looks up."""

# modeling_rope_utils.py, `_validate_*_parameters`: without these keys the config is refused
ROPE_REQUIRED = {
    "default": ("rope_type",),
    "linear": ("rope_type", "factor"),
    "dynamic": ("rope_type", "factor"),
    "yarn": ("rope_type", "factor"),
    "longrope": ("rope_type", "short_factor", "long_factor"),
    "llama3": ("rope_type", "factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"),
}
MODERN = {"rope_theta": 10000.0, "rope_scaling": None, "tie_word_embeddings": False}
"""Defaults that most decoder classes since Llama share."""


def takes_any_rope(config: Config) -> bool:
    """Whether a class that never looks at its rope_scaling refuses `config`: no."""
    del config
    return False


def as_it_is(config: Config) -> Config:
    """The config unchanged."""
    return config


def lacks_rope_keys(config: Config) -> bool:
    """Whether `rope_config_validation` refuses `config`."""
    scaling = config.find("rope_scaling")
    if not isinstance(scaling, dict):
        return False
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    required = ROPE_REQUIRED.get(kind, ()) if isinstance(kind, str) else ()
    return any(key not in scaling for key in required)


def is_no_early_rope(config: Config) -> bool:
    """Whether the validation of the classes before `rope_config_validation` refuses `config`: type and factor alone."""
    scaling = config.find("rope_scaling")
    if not isinstance(scaling, dict):
        return False
    factor = scaling.get("factor")
    return (
        len(scaling) != 2
        or scaling.get("type") not in ("linear", "dynamic")
        or not isinstance(factor, float)
        or factor <= 1
    )


@dataclass(frozen=True, slots=True)
class ConfigClass:
    """How one config class reads a config.json.

    `renames_type`: a `type` in rope_scaling becomes its `rope_type`. `fills_kv_heads`: num_key_value_heads of null
    becomes num_attention_heads. `fills_head_dim`: head_dim of null becomes hidden_size / num_attention_heads.
    `refuses`: the configs that the class does not take. `derives` adds what the class computes.
    """

    defaults: Mapping[str, Any]
    refuses: Callable[[Config], bool] = lacks_rope_keys
    renames_type: bool = True
    fills_kv_heads: bool = True
    fills_head_dim: bool = False
    derives: Callable[[Config], Config] = as_it_is

    def read(self, raw: Config) -> Config:
        """The config as this class gives it, `raw` itself where it is refused."""
        config = raw.with_defaults({**GENERATION, **self.defaults})
        scaling = config.find("rope_scaling")
        if self.renames_type and isinstance(scaling, dict) and "type" in scaling:
            config = config.replace(rope_scaling=scaling | {"rope_type": scaling["type"]})
        if self.refuses(config):
            return raw
        if self.fills_kv_heads and config.find("num_key_value_heads") is None:
            config = config.replace(num_key_value_heads=config.find("num_attention_heads"))
        if self.fills_head_dim and config.find("head_dim") is None:
            config = config.replace(head_dim=config.positive("hidden_size") // config.positive("num_attention_heads"))
        return self.derives(config)


def read_through_class(raw: Config, classes: Mapping[str, ConfigClass]) -> Config:
    """The config as transformers' class of its model_type gives it; as it is where none of `classes` has that name."""
    model_type = raw.find("model_type")
    found = classes.get(model_type) if isinstance(model_type, str) and not raw.plain else None
    return found.read(raw) if found else raw
