"""MiniMax M2.

How the checkpoint differs from the GGUF layout:

1. Experts of three matrices (w1 gate, w2 down, w3 up) are stacked; a bias corrects the scores of the router.
2. Queries and keys pass through norms over all heads. The first part of each head is rotated: rotary_dim.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/minimax.py (MiniMaxM2Model).
transformers 4.57.6 has no class for model_type minimax_m2: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import GATE_DOWN_UP, router, score_bias, stacks
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, norms, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import u32

CLASSES = ("MiniMaxM2ForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a MiniMax M2 model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_expert = config.positive("num_local_experts", "num_experts")
    hf = f"{LAYERS}.block_sparse_moe"
    return Arch(
        name="minimax-m2",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "minimax-m2"),
            ("minimax-m2.expert_feed_forward_length", u32(s.n_ff)),
            ("minimax-m2.rope.dimension_count", u32(config.integer("rotary_dim"))),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            Rule(f"{BLK}.attn_q_norm.weight", f"{LAYERS}.self_attn.q_norm.weight", shape=(s.rows_q,)),
            Rule(f"{BLK}.attn_k_norm.weight", f"{LAYERS}.self_attn.k_norm.weight", shape=(s.rows_kv,)),
            router(n_expert, s.n_embd, f"{hf}.gate"),
            score_bias(n_expert, f"{hf}.e_score_correction_bias"),
            *stacks(n_expert, s.n_ff, s.n_embd, f"{hf}.experts", GATE_DOWN_UP),
        ),
    )
