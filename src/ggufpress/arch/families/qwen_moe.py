"""Qwen2 and Qwen3 with experts, OLMoE, RND1.

How the checkpoint differs from the GGUF layout:

1. Three matrices per expert; GGUF stacks the experts of a layer. Checkpoints of transformers 5 hold them stacked, gate and
   up in one tensor: gate first.
2. llama.cpp wants experts in every layer: a model with decoder_sparse_step or mlp_only_layers is refused for its tensors.
3. Qwen2 has shared experts with a gate of their own, one row; Qwen3 has norms for the queries and keys of a head,
   OLMoE for all of them.
4. RND1 is Qwen3 that attends in both directions; its config may say which token masks others.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwen.py (Qwen2MoeModel, Qwen3MoeModel), conversion/olmo.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, norms, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, flag, u32

NAMES = {
    "Qwen2MoeForCausalLM": "qwen2moe",
    "Qwen3MoeForCausalLM": "qwen3moe",
    "OlmoeForCausalLM": "olmoe",
    "RND1": "rnd1",
}
CLASSES = tuple(NAMES)

# transformers 4.57.6, models/{qwen2_moe,qwen3_moe,olmoe}/configuration_*.py
_SHARED = MODERN | {"vocab_size": 151936, "hidden_size": 2048, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6}
CONFIG_CLASSES = {
    "qwen2_moe": ConfigClass(_SHARED | {
        "intermediate_size": 5632, "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16,
        "moe_intermediate_size": 1408, "shared_expert_intermediate_size": 5632, "num_experts_per_tok": 4,
        "num_experts": 60,
    }, fills_kv_heads=False),
    "qwen3_moe": ConfigClass(_SHARED | {
        "intermediate_size": 6144, "num_hidden_layers": 24, "num_attention_heads": 32, "num_key_value_heads": 4,
        "moe_intermediate_size": 768, "num_experts_per_tok": 8, "num_experts": 128,
    }, fills_kv_heads=False),
    "olmoe": ConfigClass(MODERN | {
        "vocab_size": 50304, "hidden_size": 2048, "intermediate_size": 2048, "num_hidden_layers": 16,
        "num_attention_heads": 16, "num_key_value_heads": None, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "num_experts_per_tok": 8, "num_experts": 64,
    }),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a model with Qwen's experts. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    n_expert = config.positive("num_local_experts", "num_experts")
    metadata = decoder_metadata(config, name)
    if name == "olmoe":
        metadata.append((f"{name}.attention.layer_norm_rms_epsilon", f32(1e-5)))
        head: tuple[Rule, ...] = (
            Rule(f"{BLK}.attn_q_norm.weight", f"{LAYERS}.self_attn.q_norm.weight", shape=(s.rows_q,)),
            Rule(f"{BLK}.attn_k_norm.weight", f"{LAYERS}.self_attn.k_norm.weight", shape=(s.rows_kv,)),
        )
    else:
        for key, source in (
            ("expert_feed_forward_length", "moe_intermediate_size"),
            ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
        ):
            if (size := config.optional_integer(source)) is not None:
                metadata.append((f"{name}.{key}", u32(size)))
        head = head_norms(s) if name != "qwen2moe" else ()
    if name == "rnd1":
        metadata.append((f"{name}.attention.causal", flag(False)))
        if (mask := config.optional_integer("mask_token_id")) is not None:
            metadata.append(("tokenizer.ggml.mask_token_id", u32(mask)))
    n_ff_exp = config.positive("intermediate_size" if name == "olmoe" else "moe_intermediate_size")
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="qwen-moe",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *head,
            *experts(s, n_expert, n_ff_exp, stacked=name != "olmoe"),
            *(shared_experts(config, s) if name == "qwen2moe" else ()),
        ),
    )


def experts(s: Sizes, n_expert: int, n_ff: int, stacked: bool) -> tuple[Rule, ...]:
    """Router and experts of one layer, one by one or, where that may be, stacked (1)."""
    hf = f"{LAYERS}.mlp"
    up, down = (n_expert, n_ff, s.n_embd), (n_expert, s.n_embd, n_ff)
    rules = [Rule(f"{BLK}.ffn_gate_inp.weight", f"{hf}.gate.weight", shape=(n_expert, s.n_embd))]
    for part, shape in (("down", down), ("gate", up), ("up", up)):
        source = f"{hf}.experts.{{e}}.{part}_proj.weight"
        rules.append(Rule(f"{BLK}.ffn_{part}_exps.weight", source, (), shape, False, "experts"))
    if stacked:
        halves = {"gate": Regroup(n_expert, ((0, n_ff),)), "up": Regroup(n_expert, ((n_ff, 2 * n_ff),))}
        for end in ("", ".weight"):
            rules.append(Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.experts.down_proj{end}", (), down, False))
            for part, half in halves.items():
                source = f"{hf}.experts.gate_up_proj{end}"
                rules.append(Rule(f"{BLK}.ffn_{part}_exps.weight", source, (), up, False, gather=half))
    return tuple(rules)


def shared_experts(config: Config, s: Sizes) -> tuple[Rule, ...]:
    """The experts that all tokens share, as one, with a gate of their own (3)."""
    n_ff = config.positive("shared_expert_intermediate_size")
    return (
        Rule(f"{BLK}.ffn_gate_inp_shexp.weight", f"{LAYERS}.mlp.shared_expert_gate.weight", shape=(1, s.n_embd)),
        *feed_forward(s.n_embd, n_ff, f"{LAYERS}.mlp.shared_expert", "_shexp"),
    )  # fmt: skip
