"""Mistral 3 (Small 3.1 and later): the language model of Mistral3ForConditionalGeneration, and Ministral 3.

How the checkpoint differs from the GGUF layout:

1. As Llama's: the rows of q and k are permuted per head, Llama 3's rope scaling becomes a tensor.
2. Ministral 3 scales rope by YaRN, with a factor for all dimensions, and attention by the logarithm of the position.
3. Mistral 4, which shares the class name, is another architecture (experts, latent attention): refused here.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/mistral3.py (Ministral3Model).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.families import llama
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import f32

CLASSES = ("Mistral3ForConditionalGeneration", "Ministral3ForCausalLM")


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Mistral 3 model. Raises ConfigError for a config that does not make sense."""
    model_type = raw.find("model_type")
    if model_type == "mistral4":
        raise UnsupportedError(f"{raw.path}: Mistral 4 cannot be converted yet")
    arch = llama.describe_as("mistral3", raw, hf_class)
    if model_type != "ministral3":
        return arch
    rope = rope_parameters(raw)
    if rope.find("rope_type") != "yarn":
        raise rope.wrong(("rope_type",), "yarn, which Ministral 3 has")
    more = (
        ("mistral3.rope.scaling.yarn_log_multiplier", f32(rope.number("mscale_all_dim"))),
        ("mistral3.attention.temperature_scale", f32(rope.number("llama_4_scaling_beta"))),
    )
    return replace(arch, metadata=arch.metadata + more)
