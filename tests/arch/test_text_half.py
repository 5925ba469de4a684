from __future__ import annotations

from typing import Any

import pytest

from ggufpress.arch.config import Config
from ggufpress.arch.text_half import text_half
from ggufpress.errors import ConfigError

TEXT = {"hidden_size": 64, "model_type": "qwen2"}


def half(values: dict[str, Any], hf_class: str = "SomeForConditionalGeneration") -> tuple[Config, str]:
    return text_half(Config(values, "config.json"), hf_class)


def test_a_config_without_a_section_stays() -> None:
    config, hf_class = half({"hidden_size": 8, "model_type": "llama"}, "LlamaForCausalLM")
    assert dict(config.values) == {"hidden_size": 8, "model_type": "llama"}
    assert (hf_class, config.plain) == ("LlamaForCausalLM", False)


def test_the_section_lies_on_top() -> None:
    config, hf_class = half({"model_type": "llava", "hidden_size": 8, "image_token_index": 3, "text_config": TEXT})
    assert (config.integer("hidden_size"), config.integer("image_token_index")) == (64, 3)
    assert (config.find("model_type"), config.plain) == ("qwen2", False)
    assert hf_class == "SomeForConditionalGeneration"


def test_a_type_that_transformers_does_not_know_has_no_defaults() -> None:
    config, _ = half({"model_type": "someones_own", "text_config": TEXT})
    assert config.plain


@pytest.mark.parametrize("name", ["llm_config", "language_config", "lm_config", "lfm"])
def test_other_names_of_the_section(name: str) -> None:
    config, hf_class = half({"model_type": "own", name: TEXT | {"architectures": ["Qwen2ForCausalLM"]}})
    assert (config.integer("hidden_size"), hf_class) == (64, "Qwen2ForCausalLM")


def test_the_thinker_holds_a_section() -> None:
    config, _ = half({"model_type": "qwen2_5_omni", "thinker_config": {"text_config": TEXT}})
    assert config.find("model_type") == "qwen2_5_omni_text"
    with pytest.raises(ConfigError, match=r"config\.json: thinker_config has no text_config"):
        half({"model_type": "qwen2_5_omni", "thinker_config": {"x": 1}})


def test_some_classes_keep_their_name() -> None:
    section = {"architectures": ["Qwen3ForCausalLM"]}
    assert half({"text_config": section}, "StepVLForConditionalGeneration")[1] == "StepVLForConditionalGeneration"


def test_flat_configs_are_sections() -> None:
    config, _ = half({"model_type": "qwen2_vl", "hidden_size": 64})
    assert (config.find("model_type"), config.integer("hidden_size")) == ("qwen2_vl_text", 64)


@pytest.mark.parametrize("classes", ["Qwen2ForCausalLM", [], [3]])
def test_classes_that_are_none(classes: object) -> None:
    with pytest.raises(ConfigError, match=r"config\.json: text_config: architectures is"):
        half({"text_config": TEXT | {"architectures": classes}})


def test_a_section_that_is_no_object() -> None:
    with pytest.raises(ConfigError, match="text_config is 7, an object was expected"):
        half({"text_config": 7})
