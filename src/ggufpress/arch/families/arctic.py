"""Snowflake Arctic.

How the checkpoint differs from the GGUF layout:

1. The rows of q and k are permuted per head, as Llama's are (their weights alone).
2. Each layer has a dense feed-forward (residual_mlp) beside its experts, with a norm of its own; experts of three matrices
   (w1 gate, w2 down, w3 up) are stacked.
3. tokenizer_config.json redefines tokens of tokenizer.model.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/arctic.py.
transformers 4.57.6 has no class for model_type arctic: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import GATE_DOWN_UP, router, stacks
from ggufpress.arch.layers import BLK, LAYERS, attention, computed_frequencies, ends, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import u32

CLASSES = ("ArcticForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an Arctic model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_expert, hf = config.positive("num_local_experts"), f"{LAYERS}.block_sparse_moe"
    dense: tuple[Rule, ...] = (
        *linear(f"{BLK}.ffn_gate", f"{LAYERS}.residual_mlp.w1", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{LAYERS}.residual_mlp.w2", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.ffn_up", f"{LAYERS}.residual_mlp.w3", (s.n_embd, s.n_embd)),
    )
    return Arch(
        name="arctic",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="arctic",
        metadata=(
            *decoder_metadata(config, "arctic"),
            ("arctic.vocab_size", u32(s.n_vocab)),
            ("arctic.rope.dimension_count", u32(s.n_embd // s.n_head)),
        ),
        rules=(
            *ends(s),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{LAYERS}.residual_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.ffn_norm_exps", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
            *attention(s, permuted=True),
            *dense,
            router(n_expert, s.n_embd, f"{hf}.gate"),
            *stacks(n_expert, s.n_ff, s.n_embd, f"{hf}.experts", GATE_DOWN_UP),
        ),
        drops=computed_frequencies(),
    )
