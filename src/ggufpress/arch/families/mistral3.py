"""Mistral 3 (Small 3.1 and later): the language model of Mistral3ForConditionalGeneration, and Ministral 3.

How the checkpoint differs from the GGUF layout:

1. As Llama's: the rows of q and k are permuted per head, Llama 3's rope scaling becomes a tensor.
2. Ministral 3 scales rope by YaRN, with a factor for all dimensions, and attention by the logarithm of the position.
3. Mistral 4, which shares the class name, has DeepSeek's attention and experts, which it stores stacked, gate and up in one
   tensor. llama.cpp keeps them so.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/mistral3.py (Ministral3Model, Mistral4Model).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count
from ggufpress.arch.families import llama
from ggufpress.arch.families.deepseek_mla import mla_model
from ggufpress.arch.layers import BLK, LAYERS
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32

CLASSES = ("Mistral3ForConditionalGeneration", "Ministral3ForCausalLM")


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Mistral 3 model. Raises ConfigError for a config that does not make sense."""
    model_type = raw.find("model_type")
    if model_type == "mistral4":
        return _mistral4(raw, hf_class)
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


def _mistral4(config: Config, hf_class: str) -> Arch:
    arch = mla_model(config, hf_class, "mistral4", block_count(config))
    n_embd, n_ff = config.positive("hidden_size"), config.positive("moe_intermediate_size")
    hf, n_expert = f"{LAYERS}.mlp.experts", arch.n_expert
    layers = next((rule.layers for rule in arch.rules if rule.batch), None)
    both, down = (n_expert, 2 * n_ff, n_embd), (n_expert, n_embd, n_ff)
    stacks = (
        Rule(f"{BLK}.ffn_gate_up_exps.weight", f"{hf}.gate_up_proj", shape=both, layers=layers),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.down_proj", shape=down, layers=layers),
    )
    rules = tuple(rule for rule in arch.rules if not rule.batch)
    return replace(arch, rules=rules + (stacks if n_expert else ()))
