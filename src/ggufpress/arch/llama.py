"""Llama and the models that share its tensor names: Mistral, Mixtral, and fine-tunes of them.

How the checkpoint differs from the GGUF layout:

1. The rows of q_proj and k_proj (weights and biases) are permuted per head: Hugging Face rotates halves, llama.cpp pairs.
2. A checkpoint of the bare LlamaModel has no `model.` prefix and no lm_head.
3. Mixtral stores three matrices per expert (w1 gate, w2 down, w3 up); GGUF stacks the experts of a layer.
4. Llama 3's rope scaling becomes a tensor of frequency divisors, rope_freqs.weight.
5. With tied embeddings there is no output.weight; llama.cpp then uses token_embd.weight.
6. Old checkpoints carry rotary_emb.inv_freq, which llama.cpp computes itself.
7. config.json is read through the defaults of transformers' config classes, and a LlamaConfig always knows its head_dim:
   attention.key_length and value_length are then written even where config.json has no head_dim.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/llama.py (LlamaModel), gguf-py/gguf/tensor_mapping.py.
"""

from __future__ import annotations

from typing import Any

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count, decoder_metadata
from ggufpress.arch.ops import RopePermute, Shape
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Drop, Rule
from ggufpress.gguf.values import u32

CLASSES = (
    "LlamaForCausalLM",
    "LLaMAForCausalLM",
    "LlamaModel",
    "MistralForCausalLM",
    "MixtralForCausalLM",
    "IQuestCoderForCausalLM",
)

# transformers 4.57.6, models/{llama,mistral,mixtral}/configuration_*.py: the arguments of __init__ that reach the metadata
_SHARED: dict[str, Any] = {
    "vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "rope_scaling": None,
    "tie_word_embeddings": False, "head_dim": None,
}  # fmt: skip
DEFAULTS: dict[str, dict[str, Any]] = {
    "llama": _SHARED | {
        "intermediate_size": 11008, "num_key_value_heads": None, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
    },
    "mistral": _SHARED | {
        "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
    },
    "mixtral": _SHARED | {
        "intermediate_size": 14336, "num_key_value_heads": 8, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "rope_theta": 1e6, "num_local_experts": 8, "num_experts_per_tok": 2,
    },
}  # fmt: skip

# transformers 4.57.6, modeling_rope_utils.py: without these keys LlamaConfig refuses the config
ROPE_REQUIRED = {
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "longrope": ("short_factor", "long_factor"),
    "llama3": ("factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor"),
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a checkpoint of the Llama family. Raises ConfigError for a config that does not make sense."""
    config = _with_class_defaults(raw)
    n_layer = block_count(config)
    n_head = config.positive("n_heads", "num_attention_heads")
    n_head_kv = config.optional_integer("n_kv_heads", "num_key_value_heads") or n_head
    n_embd = config.positive("hidden_size")
    n_vocab = config.positive("vocab_size")
    head_dim = config.optional_integer("head_dim") or n_embd // n_head
    n_expert = config.optional_integer("num_local_experts") or 0

    metadata = decoder_metadata(config, "llama")
    metadata += [("llama.vocab_size", u32(n_vocab)), ("llama.rope.dimension_count", u32(head_dim))]

    prefix = "" if hf_class == "LlamaModel" else "model."
    n_ff = config.positive("intermediate_size")
    rules = [
        Rule("token_embd.weight", f"{prefix}embed_tokens.weight", shape=(n_vocab, n_embd)),
        Rule("output_norm.weight", f"{prefix}norm.weight", shape=(n_embd,)),
        *linear("output", "lm_head", (n_vocab, n_embd), required=False),
        *attention(prefix, n_embd, n_head, n_head_kv, head_dim),
        *(experts(prefix, n_embd, n_ff, n_expert) if n_expert else feed_forward(prefix, n_embd, n_ff)),
    ]
    factors = llama3_factors(config, head_dim)
    return Arch(
        name="llama",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=n_vocab,
        vocab="llama",
        metadata=tuple(metadata),
        rules=tuple(rules),
        drops=tuple(
            Drop(name, "llama.cpp computes the rotary frequencies itself")
            for name in (f"{prefix}layers.{{i}}.self_attn.rotary_emb.inv_freq", f"{prefix}rotary_emb.inv_freq")
        ),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
    )


def linear(
    target: str, source: str, shape: Shape, ops: tuple[RopePermute, ...] = (), required: bool = True
) -> tuple[Rule, Rule]:
    """The rules of a linear layer: its weight, and a bias that may be absent."""
    return (
        Rule(f"{target}.weight", f"{source}.weight", ops, shape, required),
        Rule(f"{target}.bias", f"{source}.bias", ops, shape[:1], required=False),
    )


def attention(prefix: str, n_embd: int, n_head: int, n_head_kv: int, head_dim: int) -> tuple[Rule, ...]:
    """Attention of one layer, q and k with their rows permuted (1)."""
    hf, gguf = f"{prefix}layers.{{i}}", "blk.{i}"
    rows, rows_kv = n_head * head_dim, n_head_kv * head_dim
    return (
        Rule(f"{gguf}.attn_norm.weight", f"{hf}.input_layernorm.weight", shape=(n_embd,)),
        *linear(f"{gguf}.attn_q", f"{hf}.self_attn.q_proj", (rows, n_embd), (RopePermute(n_head),)),
        *linear(f"{gguf}.attn_k", f"{hf}.self_attn.k_proj", (rows_kv, n_embd), (RopePermute(n_head_kv),)),
        *linear(f"{gguf}.attn_v", f"{hf}.self_attn.v_proj", (rows_kv, n_embd)),
        *linear(f"{gguf}.attn_output", f"{hf}.self_attn.o_proj", (n_embd, rows)),
        Rule(f"{gguf}.ffn_norm.weight", f"{hf}.post_attention_layernorm.weight", shape=(n_embd,)),
    )


def feed_forward(prefix: str, n_embd: int, n_ff: int) -> tuple[Rule, ...]:
    """The gated feed-forward of one layer."""
    hf, gguf = f"{prefix}layers.{{i}}.mlp", "blk.{i}"
    return (
        *linear(f"{gguf}.ffn_gate", f"{hf}.gate_proj", (n_ff, n_embd)),
        *linear(f"{gguf}.ffn_down", f"{hf}.down_proj", (n_embd, n_ff)),
        *linear(f"{gguf}.ffn_up", f"{hf}.up_proj", (n_ff, n_embd)),
    )


def experts(prefix: str, n_embd: int, n_ff: int, n_expert: int) -> tuple[Rule, ...]:
    """The router and the stacked experts of one layer (3)."""
    hf, gguf = f"{prefix}layers.{{i}}.block_sparse_moe", "blk.{i}"
    up, down = (n_expert, n_ff, n_embd), (n_expert, n_embd, n_ff)
    return (
        Rule(f"{gguf}.ffn_gate_inp.weight", f"{hf}.gate.weight", shape=(n_expert, n_embd)),
        Rule(f"{gguf}.ffn_gate_exps.weight", f"{hf}.experts.{{e}}.w1.weight", shape=up, batch="experts"),
        Rule(f"{gguf}.ffn_down_exps.weight", f"{hf}.experts.{{e}}.w2.weight", shape=down, batch="experts"),
        Rule(f"{gguf}.ffn_up_exps.weight", f"{hf}.experts.{{e}}.w3.weight", shape=up, batch="experts"),
    )


def _with_class_defaults(raw: Config) -> Config:
    """The config as transformers' class of its model_type gives it; as it is where no class takes it (7)."""
    model_type = raw.find("model_type")
    if model_type not in DEFAULTS or (model_type == "llama" and _refused(raw)):
        return raw
    config = raw.with_defaults(DEFAULTS[model_type])
    if config.find("num_key_value_heads") is None:
        config = config.replace(num_key_value_heads=config.find("num_attention_heads"))
    if model_type == "llama":
        if config.find("head_dim") is None:
            config = config.replace(head_dim=config.positive("hidden_size") // config.positive("num_attention_heads"))
        scaling = config.find("rope_scaling")
        if isinstance(scaling, dict) and "type" in scaling:
            config = config.replace(rope_scaling=scaling | {"rope_type": scaling["type"]})
    return config


def _refused(raw: Config) -> bool:
    scaling = raw.section("rope_scaling")
    if scaling is None:
        return False
    required = ROPE_REQUIRED.get(scaling.find("type", "rope_type") or "default", ())
    return any(key not in scaling.values for key in required)
