"""DeepSeek MoE, the first.

How the checkpoint differs from the GGUF layout:

1. The rows of q_proj and k_proj are permuted per head, as Llama's are.
2. The first layers are dense (first_k_dense_replace); in the others, experts are stacked and shared experts are one.
3. No rope scaling is written, whatever the config says, and the sum of the experts is not scaled.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/deepseek.py (DeepseekModel).
transformers 4.57.6 has no class for model_type deepseek: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import in_layers, router, stacks
from ggufpress.arch.layers import LAYERS, attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import f32, text, u32

CLASSES = ("DeepseekForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a first DeepSeek MoE. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_expert, n_shared = config.positive("n_routed_experts"), config.integer("n_shared_experts")
    n_ff_exp, n_dense = config.positive("moe_intermediate_size"), config.integer("first_k_dense_replace")
    dense, sparse = range(min(n_dense, s.n_layer)), range(n_dense, s.n_layer)
    return Arch(
        name="deepseek",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="spm-or-bpe",
        metadata=(
            *decoder_metadata(config, "deepseek"),
            ("deepseek.rope.dimension_count", u32(s.head_dim)),
            ("deepseek.rope.scaling.type", text("none")),
            ("deepseek.leading_dense_block_count", u32(n_dense)),
            ("deepseek.vocab_size", u32(s.n_vocab)),
            ("deepseek.expert_feed_forward_length", u32(n_ff_exp)),
            ("deepseek.expert_weights_scale", f32(1.0)),
            ("deepseek.expert_count", u32(n_expert)),
            ("deepseek.expert_shared_count", u32(n_shared)),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s, permuted=True),
            *in_layers(dense, *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(
                sparse,
                router(n_expert, s.n_embd),
                *stacks(n_expert, n_ff_exp, s.n_embd),
                *(
                    feed_forward(s.n_embd, n_ff_exp * n_shared, f"{LAYERS}.mlp.shared_experts", "_shexp")
                    if n_shared
                    else ()
                ),
            ),
        ),
        drops=computed_frequencies(),
    )
