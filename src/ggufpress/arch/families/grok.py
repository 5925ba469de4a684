"""Grok 1 (as keyfan/grok-1-hf has it) and Grok 2.

How the checkpoint differs from the GGUF layout:

1. Experts of three matrices (linear gate, linear_1 down, linear_v up; w1, w2, w3 in Grok 2) are stacked. Grok 2 has a dense
   feed-forward beside them.
2. Grok 1 and 2 have names of their own; norms stand before and behind both halves of a layer.
3. YaRN's parameters stand in the config itself; "original" is taken for yarn. Some factors have defaults.
4. The parts of split experts (several files with tensors of one name) cannot be read.
5. Grok 2 states the model_type git, which transformers knows for another model: its defaults reach the metadata.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/grok.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata, integers
from ggufpress.arch.experts import GATE_DOWN_UP, router, stacks
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, computed_frequencies, ends, feed_forward, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, f32, text, u32

CLASSES = ("GrokForCausalLM", "Grok1ForCausalLM")
GROK_1 = "transformer.decoder_layer.{i}"
NORMS_1 = {
    "attn_norm": "rms_norm", "attn_output_norm": "rms_norm_1", "ffn_norm": "rms_norm_2", "layer_output_norm": "rms_norm_3",
}  # fmt: skip
NORMS_2 = {
    "attn_norm": "pre_attn_norm", "attn_output_norm": "post_attn_norm", "ffn_norm": "pre_moe_norm",
    "post_ffw_norm": "post_moe_norm",
}  # fmt: skip

# transformers 4.57.6, models/git/configuration_git.py
CONFIG_CLASSES = {
    "git": ConfigClass({
        "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12,
        "intermediate_size": 3072, "max_position_embeddings": 1024, "layer_norm_eps": 1e-12,
    }, refuses=takes_any_rope, renames_type=False, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Grok model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    n_expert = config.positive("num_local_experts")
    n_ff = config.positive("moe_intermediate_size", "intermediate_size")
    first = any(name.startswith("transformer.") for name in config.tensors)
    return Arch(
        name="grok",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="grok",
        metadata=tuple(_metadata(config, s).items()),
        rules=_grok_1(s, n_expert, n_ff) if first else _grok_2(s, n_expert, n_ff),
        drops=() if first else computed_frequencies(),
    )


def _metadata(config: Config, s: Sizes) -> dict[str, Value]:
    numbers = config.with_defaults({"attn_logit_softcapping": 30.0, "router_logit_softcapping": 30.0,
                                    "attn_output_multiplier": s.head_dim**-0.5})  # fmt: skip
    keys = dict(decoder_metadata(config, "grok"))
    keys["grok.attn_logit_softcapping"] = f32(numbers.number("attn_logit_softcapping"))
    keys["grok.router_logit_softcapping"] = f32(numbers.number("router_logit_softcapping"))
    if cap := config.optional_number("final_logit_softcapping"):
        keys["grok.final_logit_softcapping"] = f32(cap)
    keys |= integers(config, "grok", (("expert_feed_forward_length", ("moe_intermediate_size",)),))
    if config.find("rope_type") in ("yarn", "original"):
        scaling = "grok.rope.scaling"
        keys[f"{scaling}.type"] = text("yarn")
        keys[f"{scaling}.factor"] = f32(config.number("scaling_factor"))
        keys[f"{scaling}.original_context_length"] = u32(config.integer("original_max_position_embeddings"))
        keys[f"{scaling}.yarn_ext_factor"] = f32(config.number("extrapolation_factor"))
        keys[f"{scaling}.yarn_attn_factor"] = f32(config.number("attn_factor"))
        keys[f"{scaling}.yarn_beta_fast"] = f32(config.number("beta_fast"))
        keys[f"{scaling}.yarn_beta_slow"] = f32(config.number("beta_slow"))
    if length := config.optional_integer("attn_temperature_len"):
        keys["grok.attention.temperature_length"] = u32(length)
    keys["grok.attention.output_scale"] = f32(numbers.number("attn_output_multiplier"))
    keys["grok.embedding_scale"] = f32(config.number("embedding_multiplier_scale"))
    keys["grok.logit_scale"] = f32(config.number("output_multiplier_scale"))
    return keys


def _grok_1(s: Sizes, n_expert: int, n_ff: int) -> tuple[Rule, ...]:
    hf = f"{GROK_1}.multi_head_attention"
    moe = f"{GROK_1}.moe.{{e}}"
    up, down = (n_expert, n_ff, s.n_embd), (n_expert, s.n_embd, n_ff)
    return (
        Rule("token_embd.weight", "transformer.in_out_embed.weight", shape=(s.n_vocab, s.n_embd)),
        Rule("output_norm.weight", "transformer.rms_norm.weight", shape=(s.n_embd,)),
        Rule("output.weight", "lm_head.weight", (), (s.n_vocab, s.n_embd), required=False),
        *(Rule(f"{BLK}.{target}.weight", f"{GROK_1}.{source}.weight", shape=(s.n_embd,)) for target, source in NORMS_1.items()),
        *linear(f"{BLK}.attn_q", f"{hf}.query", (s.rows_q, s.n_embd)),
        *linear(f"{BLK}.attn_k", f"{hf}.key", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_v", f"{hf}.value", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{hf}.linear", (s.n_embd, s.rows_q)),
        router(n_expert, s.n_embd, f"{GROK_1}.router"),
        Rule(f"{BLK}.ffn_gate_exps.weight", f"{moe}.linear.weight", shape=up, batch="exps"),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{moe}.linear_1.weight", shape=down, batch="exps"),
        Rule(f"{BLK}.ffn_up_exps.weight", f"{moe}.linear_v.weight", shape=up, batch="exps"),
    )  # fmt: skip


def _grok_2(s: Sizes, n_expert: int, n_ff: int) -> tuple[Rule, ...]:
    hf = f"{LAYERS}.block_sparse_moe"
    return (
        *ends(s),
        *(Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{source}.weight", shape=(s.n_embd,)) for target, source in NORMS_2.items()),
        *attention(s),
        router(n_expert, s.n_embd, f"{hf}.gate"),
        *stacks(n_expert, n_ff, s.n_embd, f"{hf}.experts", GATE_DOWN_UP),
        *feed_forward(s.n_embd, s.n_ff),
    )  # fmt: skip
