"""MiniMax Text 01 and MiniMax M1: lightning attention in most layers, softmax attention in the others, experts in all.

How the checkpoint differs from the GGUF layout:

1. Layers with lightning attention have queries, keys and values in one matrix, a gate and a norm behind attention.
2. Experts of three matrices (w1 gate, w2 down, w3 up) are stacked.
3. The factors of the residuals must all be one number, which becomes a key; those of what is added to them must be 1.
4. Tokens behind the tokenizer's own whose embeddings are zeros are never to be chosen: their ids become a key.
5. Without a chat_template.jinja, MiniMax M1's template is written.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/minimax.py (MiniMaxText01Model).
transformers 4.57.6 has no class for these model types: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import GATE_DOWN_UP, in_layers, layers_with, router, stacks
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, linear, norms, sizes
from ggufpress.arch.spec import SILENT_TOKENS, Arch, Rule
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import ValueType, array, f32, u32

CLASSES = ("MiniMaxText01ForCausalLM", "MiniMaxM1ForCausalLM")
NAME = "minimax-01"
PARTS = ("full_attention", "linear_attention", "mlp")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a MiniMax 01 model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_expert = config.positive("num_local_experts")
    hf = f"{LAYERS}.block_sparse_moe"
    lightning = layers_with(config, s.n_layer, f"{LAYERS}.self_attn.qkv_proj.weight")
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="minimax-m1",
        metadata=(
            *decoder_metadata(config, NAME),
            (SILENT_TOKENS, array(ValueType.INT32, ())),
            (f"{NAME}.residual_scale", f32(_residual_scale(config))),
            (f"{NAME}.rope.dimension_count", u32(config.integer("rotary_dim"))),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *in_layers([i for i in range(s.n_layer) if i not in lightning], *attention(s)),
            *in_layers(lightning, *_lightning(s)),
            router(n_expert, s.n_embd, f"{hf}.gate"),
            *stacks(n_expert, s.n_ff, s.n_embd, f"{hf}.experts", GATE_DOWN_UP),
        ),
        silent="model.embed_tokens.weight",
    )


def _residual_scale(config: Config) -> float:
    """The one factor of all residuals. Raises UnsupportedError where there are several."""
    alphas = {config.number(f"layernorm_{part}_alpha") for part in PARTS}
    betas = {config.number(f"layernorm_{part}_beta") for part in PARTS}
    if len(alphas) > 1 or betas != {1}:
        raise UnsupportedError(
            f"{config.path}: llama.cpp knows one layernorm_..._alpha for all parts, and 1 for every beta"
        )
    return alphas.pop()


def _lightning(s: Sizes) -> tuple[Rule, ...]:
    hf = f"{LAYERS}.self_attn"
    return (
        *linear(f"{BLK}.attn_qkv", f"{hf}.qkv_proj", (3 * s.rows_q, s.n_embd)),
        *linear(f"{BLK}.attn_gate", f"{hf}.output_gate", (s.rows_q, s.n_embd)),
        *linear(f"{BLK}.attn_norm_2", f"{hf}.norm", (s.rows_q,)),
        *linear(f"{BLK}.attn_output", f"{hf}.out_proj", (s.n_embd, s.rows_q)),
    )
