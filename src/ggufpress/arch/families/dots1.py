"""dots.llm1.

How the checkpoint differs from the GGUF layout:

1. As Qwen3 with experts (norms of q and k per head), but the first layers are dense (first_k_dense_replace), shared experts
   are one, and a bias corrects the scores of the router.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/dots1.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata, integers, needed
from ggufpress.arch.experts import in_layers, score_bias
from ggufpress.arch.families.qwen_moe import experts
from ggufpress.arch.layers import LAYERS, attention, ends, feed_forward, head_norms, norms, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import f32, flag

CLASSES = ("Dots1ForCausalLM",)

# transformers 4.57.6, models/dots1/configuration_dots1.py
CONFIG_CLASSES = {
    "dots1": ConfigClass(MODERN | {
        "vocab_size": 152064, "hidden_size": 4608, "intermediate_size": 10944, "moe_intermediate_size": 1408,
        "num_hidden_layers": 62, "num_attention_heads": 32, "num_key_value_heads": 32, "n_shared_experts": None,
        "n_routed_experts": None, "n_group": 1, "topk_group": 1, "num_experts_per_tok": None, "first_k_dense_replace": 0,
        "norm_topk_prob": False, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "routed_scaling_factor": 1.0,
    }, refuses=takes_any_rope, renames_type=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a dots.llm1 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    n_expert, n_shared = config.positive("n_routed_experts"), config.integer("n_shared_experts")
    n_ff, n_dense = config.positive("moe_intermediate_size"), config.integer("first_k_dense_replace")
    shared = feed_forward(s.n_embd, n_ff * n_shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if n_shared else ()
    return Arch(
        name="dots1",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config.replace(num_experts=n_expert), "dots1"),
            *needed(config, "dots1", ("expert_feed_forward_length", "moe_intermediate_size")),
            *integers(config, "dots1", (("expert_shared_feed_forward_length", ("shared_expert_intermediate_size",)),)),
            *needed(
                config,
                "dots1",
                ("leading_dense_block_count", "first_k_dense_replace"),
                ("expert_shared_count", "n_shared_experts"),
            ),
            ("dots1.expert_weights_scale", f32(config.number("routed_scaling_factor"))),
            ("dots1.expert_weights_norm", flag(config.flag("norm_topk_prob", default=False))),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *head_norms(s),
            *in_layers(range(min(n_dense, s.n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(
                range(n_dense, s.n_layer), *experts(s, n_expert, n_ff, stacked=True), score_bias(n_expert), *shared
            ),
        ),
    )
