"""Llama and the models that share its rules: Mistral, Mixtral, SmolLM3, Arcee, and fine-tunes of them.

How the checkpoint differs from the GGUF layout:

1. The rows of q_proj and k_proj (weights and biases) are permuted per head: Hugging Face rotates halves, llama.cpp pairs.
2. A checkpoint of the bare LlamaModel or LlamaBidirectionalModel has no `model.` prefix and no lm_head.
3. Mixtral stores three matrices per expert (w1 gate, w2 down, w3 up); GGUF stacks the experts of a layer.
4. Llama 3's rope scaling becomes a tensor of frequency divisors, rope_freqs.weight.
5. With tied embeddings there is no output.weight; llama.cpp then uses token_embd.weight.
6. Old checkpoints carry rotary_emb.inv_freq, which llama.cpp computes itself.
7. config.json is read through the defaults of transformers' config classes, and LlamaConfig and ArceeConfig always know
   their head_dim: attention.key_length and value_length are then written even where config.json has no head_dim.
8. Multimodal models hold a Llama beside other parts, which are left out; Nanbeige goes through its layers several times.
9. Arcee's feed-forward has no gate. SmolLM3 leaves rope out of every fourth layer; llama.cpp knows that by itself.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/llama.py (LlamaModel), gguf-py/gguf/tensor_mapping.py.
"""

from __future__ import annotations

from typing import Any

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import (
    BLK,
    LAYERS,
    Sizes,
    attention,
    computed_frequencies,
    ends,
    feed_forward,
    norms,
    plain_feed_forward,
    sizes,
)  # fmt: skip
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Drop, Rule
from ggufpress.gguf.values import Value, flag, u32

NAMES = {
    "LlamaForCausalLM": "llama",
    "LLaMAForCausalLM": "llama",
    "LlamaModel": "llama",
    "MistralForCausalLM": "llama",
    "MixtralForCausalLM": "llama",
    "IQuestCoderForCausalLM": "llama",
    "VLlama3ForCausalLM": "llama",
    "LlavaForConditionalGeneration": "llama",
    "VoxtralForConditionalGeneration": "llama",
    "JanusForConditionalGeneration": "llama",
    "Sarashina2VisionForCausalLM": "llama",
    "LlamaBidirectionalModel": "llama-embed",
    "NanbeigeForCausalLM": "nanbeige",
    "SmolLM3ForCausalLM": "smollm3",
    "ArceeForCausalLM": "arcee",
}
CLASSES = tuple(NAMES)
BARE = ("LlamaModel", "LlamaBidirectionalModel")
PREFIXES = (("model.text_model.", "model."), ("text_model.", ""), ("llm.", ""))
"""Of SmolVLM and Sarashina's vision model, beside those that multimodal checkpoints have in common."""

OTHER_PARTS = {
    "JanusForConditionalGeneration": tuple(
        Drop(f"model.{part}.*", "it belongs to the vision or image part, which is no part of this file")
        for part in (
            "vision_model",
            "aligner",
            "vqmodel",
            "generation_embeddings",
            "generation_aligner",
            "generation_head",
        )
    ),
    "Sarashina2VisionForCausalLM": (Drop("norm.*", "it belongs to the vision part"),),
}

# transformers 4.57.6, models/{llama,mistral,mixtral,smollm3,arcee}/configuration_*.py: arguments that reach the metadata
_SHARED: dict[str, Any] = MODERN | {
    "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "head_dim": None,
}  # fmt: skip
CONFIG_CLASSES = {
    "llama": ConfigClass(_SHARED | {
        "intermediate_size": 11008, "num_key_value_heads": None, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
    }, fills_head_dim=True),
    "mistral": ConfigClass(_SHARED | {
        "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
    }, refuses=takes_any_rope, renames_type=False),
    "mixtral": ConfigClass(_SHARED | {
        "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "rope_theta": 1e6, "num_local_experts": 8, "num_experts_per_tok": 2,
    }, refuses=takes_any_rope, renames_type=False),
    "smollm3": ConfigClass({
        "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36,
        "num_attention_heads": 16, "num_key_value_heads": 4, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "rope_theta": 2e6, "rope_scaling": None, "tie_word_embeddings": True,
    }),
    "arcee": ConfigClass(_SHARED | {
        "hidden_size": 2560, "intermediate_size": 18432, "num_key_value_heads": None, "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5,
    }, fills_head_dim=True),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a checkpoint of the Llama family. Raises ConfigError for a config that does not make sense."""
    return describe_as(NAMES[hf_class], raw, hf_class)


def describe_as(name: str, raw: Config, hf_class: str) -> Arch:
    """The same under the name of one of llama.cpp's architectures that are Llamas."""
    if hf_class == "VLlama3ForCausalLM":
        # conversion/llama.py: missing in SmolVLM2's config
        raw = raw.with_defaults({"num_attention_heads": 32})
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    n_expert = config.optional_integer("num_local_experts") or 0

    prefix = "" if hf_class in BARE else "model."
    layers = f"{prefix}layers.{{i}}"
    if n_expert:
        ffn = experts(s, n_expert, f"{layers}.block_sparse_moe")
    elif name == "arcee":
        ffn = plain_feed_forward(s, f"{layers}.mlp", "up_proj", "down_proj")
    else:
        ffn = feed_forward(s.n_embd, s.n_ff, f"{layers}.mlp")
    factors = llama3_factors(config, s.head_dim)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="llama",
        metadata=(
            *decoder_metadata(config, name),
            (f"{name}.vocab_size", u32(s.n_vocab)),
            (f"{name}.rope.dimension_count", u32(s.head_dim)),
            *(_loops(config) if name == "nanbeige" else ()),
        ),
        rules=(*ends(s, prefix), *norms(s, layers), *attention(s, f"{layers}.self_attn", permuted=True), *ffn),
        drops=(*computed_frequencies(prefix), *OTHER_PARTS.get(hf_class, ())),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
        pooled=name == "arcee",
        prefixes=PREFIXES,
    )


def _loops(config: Config) -> tuple[tuple[str, Value], ...]:
    """How often Nanbeige goes through its layers."""
    return (
        ("nanbeige.num_loops", u32(config.optional_integer("num_loops") or 1)),
        ("nanbeige.skip_loop_final_norm", flag(config.flag("skip_loop_final_norm", False))),
    )


def experts(s: Sizes, n_expert: int, hf: str = f"{LAYERS}.block_sparse_moe") -> tuple[Rule, ...]:
    """Mixtral's router and the stacked experts of one layer (3)."""
    up, down = (n_expert, s.n_ff, s.n_embd), (n_expert, s.n_embd, s.n_ff)
    return (
        Rule(f"{BLK}.ffn_gate_inp.weight", f"{hf}.gate.weight", shape=(n_expert, s.n_embd)),
        Rule(f"{BLK}.ffn_gate_exps.weight", f"{hf}.experts.{{e}}.w1.weight", shape=up, batch="experts"),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.experts.{{e}}.w2.weight", shape=down, batch="experts"),
        Rule(f"{BLK}.ffn_up_exps.weight", f"{hf}.experts.{{e}}.w3.weight", shape=up, batch="experts"),
    )
