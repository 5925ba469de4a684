"""The language model of a multimodal config: which section describes it, and the class that its tensors belong to.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`load_hparams`, `get_model_architecture`,
`TextModel.__init__`); transformers 4.57.6, the config classes with a `text_config`.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.errors import ConfigError

SECTIONS = ("lfm", "language_config", "thinker_config", "lm_config", "llm_config", "text_config")
"""Names of the section, the first that is there counts. That of thinker_config is its own text_config."""

TEXT_TYPES = {
    "aria": "aria_text", "aya_vision": "cohere2", "cohere2_vision": "cohere2", "colpali": "gemma", "deepseek_vl": "llama",
    "deepseek_vl_hybrid": "llama", "gemma3": "gemma3_text", "gemma3n": "gemma3n_text", "glm4v": "glm4v_text",
    "glm4v_moe": "Glm4vMoe_text", "got_ocr2": "qwen2", "granite_speech": "granite", "granitevision": "llama",
    "idefics2": "mistral", "idefics3": "llama", "internvl": "qwen2", "janus": "llama", "lfm2_vl": "lfm2",
    "llama4": "llama4_text", "llava": "llama", "llava_next": "llama", "llava_next_video": "llama",
    "llava_onevision": "qwen2", "mistral3": "mistral", "ovis2": "qwen2", "paligemma": "gemma", "perception_lm": "llama",
    "qwen2_5_omni": "qwen2_5_omni_text", "qwen2_5_vl": "qwen2_5_vl_text", "qwen2_audio": "qwen2",
    "qwen2_vl": "qwen2_vl_text", "qwen3_omni_moe": "qwen3_omni_moe_text", "qwen3_vl": "qwen3_vl_text",
    "qwen3_vl_moe": "qwen3_vl_moe_text", "shieldgemma2": "gemma3_text", "smolvlm": "llama", "video_llava": "llama",
    "vipllava": "llama", "voxtral": "llama",
}  # fmt: skip
"""Multimodal model types that transformers 4.57.6 has a class for, and the type of their text section by default."""

ONE_TYPE = frozenset({
    "gemma3", "gemma3n", "glm4v", "glm4v_moe", "llama4", "ovis2", "qwen2_5_omni", "qwen2_5_vl", "qwen2_vl",
    "qwen3_omni_moe", "qwen3_vl", "qwen3_vl_moe",
})  # fmt: skip
"""Those whose text section is read by one class, whatever type it states."""

SECTION_DEFAULTS = {
    "voxtral": {
        "vocab_size": 131072, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 30,
        "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 100000000.0,
        "head_dim": 128,
    },
}  # fmt: skip
"""Defaults that a multimodal class has for its text section, before those of the section's own class."""

FLAT = frozenset({"glm4v", "glm4v_moe", "qwen2_5_vl", "qwen2_vl"})
"""Those that read a config without a text section as one that is all text section."""

WHOLE_CLASSES = frozenset({
    "StepVLForConditionalGeneration", "Sarashina2VisionForCausalLM", "Exaone4_5_ForConditionalGeneration",
    "Step3p7ForConditionalGeneration", "KimiK3ForConditionalGeneration",
})  # fmt: skip
"""Classes that keep their name, whatever class the text section states."""


def text_half(config: Config, hf_class: str) -> tuple[Config, str]:
    """The config with its text section's values on top, and the class of the language model; as they are without one."""
    section = _section(config)
    model_type = config.find("model_type")
    composite = isinstance(model_type, str) and model_type in TEXT_TYPES
    if section is None:
        if composite and model_type in FLAT:
            return config.replace(model_type=TEXT_TYPES[model_type]), hf_class
        return config, hf_class
    classes = section.find("architectures")
    if classes is not None and hf_class not in WHOLE_CLASSES:
        if not isinstance(classes, list) or not classes or not isinstance(classes[0], str):
            raise section.wrong(("architectures",), "a list with the name of the model's class")
        hf_class = classes[0]
    defaults = SECTION_DEFAULTS.get(str(model_type), {}) if composite else {}
    values = {**config.values, **defaults, **section.values}
    if composite and (model_type in ONE_TYPE or "model_type" not in section.values):
        values["model_type"] = TEXT_TYPES[str(model_type)]
    return replace(config, values=values, plain=not composite), hf_class


def _section(config: Config) -> Config | None:
    for name in SECTIONS:
        if name not in config.values:
            continue
        section = config.section(name)
        if name == "thinker_config":
            section = section.section("text_config") if section else None
            if section is None:
                raise ConfigError(f"{config.path}: thinker_config has no text_config, the language model's section")
        return section
    return None
