"""ERNIE 4.5 with experts.

How the checkpoint differs from the GGUF layout:

1. Every moe_layer_interval-th layer from moe_layer_start_index to moe_layer_end_index has experts: stacked, with a bias that
   corrects the scores of the router, as a matrix of one row. Shared experts are one.
2. Layers that predict further tokens (mtp_*) are left out.
3. The width of the shared experts is written as intermediate_size / num_key_value_heads, whatever it is.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/ernie.py (Ernie4_5MoeModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata, integers, needed
from ggufpress.arch.experts import GATE_UP_DOWN, in_layers, router, stacks
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, norms, sizes
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import u32

CLASSES = ("Ernie4_5_MoeForCausalLM",)
NAME = "ernie4_5-moe"
LEFT_OUT = ("mtp_block", "mtp_emb_norm", "mtp_hidden_norm", "mtp_linear_proj")

# transformers 4.57.6, models/ernie4_5_moe/configuration_ernie4_5_moe.py
CONFIG_CLASSES = {
    "ernie4_5_moe": ConfigClass(MODERN | {
        "vocab_size": 103424, "hidden_size": 2560, "intermediate_size": 12288, "num_hidden_layers": 28,
        "num_attention_heads": 20, "num_key_value_heads": 4, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0, "moe_intermediate_size": 1536, "moe_k": 6, "moe_num_experts": 64,
        "moe_num_shared_experts": 2, "moe_layer_start_index": 1, "moe_layer_end_index": -1, "moe_layer_interval": 1,
    }, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an ERNIE model with experts. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    n_expert, n_shared = config.positive("moe_num_experts"), config.optional_integer("moe_num_shared_experts")
    first, step = config.integer("moe_layer_start_index"), config.positive("moe_layer_interval")
    end = config.find("moe_layer_end_index")
    last = s.n_layer - 1 if end in (None, -1) else config.integer("moe_layer_end_index")
    sparse = tuple(i for i in range(first, min(last, s.n_layer - 1) + 1) if (i + 1) % step == 0)
    metadata = [
        *decoder_metadata(config, NAME),
        *needed(
            config,
            NAME,
            ("expert_count", "moe_num_experts"),
            ("expert_used_count", "moe_k"),
            ("interleave_moe_layer_step", "moe_layer_interval"),
            ("leading_dense_block_count", "moe_layer_start_index"),
        ),
        *integers(config, NAME, (("expert_feed_forward_length", ("moe_intermediate_size",)),)),
    ]
    if n_shared is not None:
        metadata.append((f"{NAME}.expert_shared_count", u32(n_shared)))
    if n_shared and (n_head_kv := config.optional_integer("num_key_value_heads")):
        metadata.append((f"{NAME}.expert_shared_feed_forward_length", u32(s.n_ff // n_head_kv)))
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="spm-prefix",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *in_layers(tuple(i for i in range(s.n_layer) if i not in sparse), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(sparse, *_experts(config, s, n_expert, n_shared or 0)),
        ),
        drops=tuple(Drop(f"model.{name}.*", "llama.cpp does not use the layers that predict further tokens")
                    for name in LEFT_OUT),
        prefixes=(("ernie.", "model."),),
    )  # fmt: skip


def _experts(config: Config, s: Sizes, n_expert: int, n_shared: int) -> tuple[Rule, ...]:
    n_ff = config.positive("moe_intermediate_size")
    bias = f"{LAYERS}.mlp.moe_statics.e_score_correction_bias"
    return (
        router(n_expert, s.n_embd),
        Rule(f"{BLK}.exp_probs_b.bias", bias, shape=(1, n_expert), required=False),
        *stacks(n_expert, n_ff, s.n_embd, names=GATE_UP_DOWN),
        *(feed_forward(s.n_embd, n_ff * n_shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if n_shared else ()),
    )
