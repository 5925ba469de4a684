"""Trinity (AFMoE).

How the checkpoint differs from the GGUF layout:

1. Nothing is permuted, unlike in Llama. A gate of its own follows attention; norms stand before and behind both halves.
2. The first num_dense_layers are dense; in the others, experts are stacked and shared experts are one.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/afmoe.py.
transformers 4.57.6 has no class for model_type afmoe: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, integers
from ggufpress.arch.experts import GATE_UP_DOWN, in_layers, router, score_bias, stacks
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, f32, flag, u32

CLASSES = ("AfmoeForCausalLM",)
NORMS = {
    "attn_norm": "input_layernorm", "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_mlp_layernorm",
    "post_ffw_norm": "post_mlp_layernorm",
}  # fmt: skip


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an AFMoE model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_dense = config.optional_integer("num_dense_layers") or 0
    n_expert = config.positive("num_local_experts", "num_experts")
    return Arch(
        name="afmoe",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="llama",
        metadata=tuple(_metadata(config, s)),
        rules=(
            *ends(s),
            *(rule for target, source in NORMS.items()
              for rule in linear(f"{BLK}.{target}", f"{LAYERS}.{source}", (s.n_embd,))),
            *attention(s),
            *head_norms(s),
            *linear(f"{BLK}.attn_gate", f"{LAYERS}.self_attn.gate_proj", (s.rows_q, s.n_embd)),
            *in_layers(range(min(n_dense, s.n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, s.n_layer), *_experts(config, s, n_expert)),
        ),
    )  # fmt: skip


def _metadata(config: Config, s: Sizes) -> list[tuple[str, Value]]:
    keys = [
        *decoder_metadata(config, "afmoe"),
        ("afmoe.vocab_size", u32(s.n_vocab)),
        ("afmoe.rope.dimension_count", u32(s.head_dim)),
        *integers(
            config,
            "afmoe",
            (
                ("expert_shared_count", ("num_shared_experts",)),
                ("expert_feed_forward_length", ("moe_intermediate_size",)),
                ("leading_dense_block_count", ("num_dense_layers",)),
            ),
        ),
    ]
    if config.find("route_norm") is not None:
        keys.append(("afmoe.expert_weights_norm", flag(config.flag("route_norm", default=False))))
    if (scale := config.optional_number("route_scale")) is not None:
        keys.append(("afmoe.expert_weights_scale", f32(scale)))
    return keys + integers(config, "afmoe", (("attention.sliding_window", ("sliding_window",)),))


def _experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    n_ff, n_shared = config.positive("moe_intermediate_size"), config.optional_integer("num_shared_experts") or 0
    return (
        router(n_expert, s.n_embd, f"{LAYERS}.mlp.router.gate"),
        score_bias(n_expert, f"{LAYERS}.mlp.expert_bias"),
        *stacks(n_expert, n_ff, s.n_embd, names=GATE_UP_DOWN),
        *(feed_forward(s.n_embd, n_ff * n_shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if n_shared else ()),
    )
