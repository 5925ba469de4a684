"""Jamba: Mamba layers, some attention layers between them, experts in some feed-forwards.

How the checkpoint differs from the GGUF layout:

1. Layers with attention have the usual number of key/value heads in a list with one entry per layer, those with Mamba 0.
2. Decay rates become minus exponentials; kernels of convolutions lose their middle axis. Mamba's time steps, B and C pass
   through norms.
3. Experts are stacked. Layers without experts may hold their feed-forward as the first expert of a router's.
4. Mini-Jamba calls feed_forward `moe`.
5. No rotary embedding, so no rope keys.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/jamba.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.experts import DOWN_GATE_UP, in_layers, router, stacks
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, feed_forward, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.ssm import Ssm, mamba_mixer, ssm_metadata
from ggufpress.gguf.values import ValueType, array, f32, u32

CLASSES = ("JambaForCausalLM",)


def _breaks_offsets(config: Config) -> bool:
    """Whether the class refuses the config: an offset that is not below its period."""
    return any(
        config.integer(f"{kind}_layer_offset") >= config.integer(f"{kind}_layer_period") for kind in ("attn", "expert")
    )


def _derived(config: Config) -> Config:
    return config.replace(mamba_dt_rank=None) if config.find("mamba_dt_rank") == "auto" else config


# transformers 4.57.6, models/jamba/configuration_jamba.py
CONFIG_CLASSES = {
    "jamba": ConfigClass(MODERN | {
        "vocab_size": 65536, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 262144, "rms_norm_eps": 1e-6,
        "num_experts_per_tok": 2, "num_experts": 16, "expert_layer_period": 2, "expert_layer_offset": 1,
        "attn_layer_period": 8, "attn_layer_offset": 4, "mamba_d_state": 16, "mamba_d_conv": 4, "mamba_expand": 2,
        "mamba_dt_rank": "auto",
    }, refuses=lambda config: takes_any_rope(config) or _breaks_offsets(config), renames_type=False, derives=_derived),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Jamba model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config.replace(head_dim=None))
    n_expert = config.positive("num_local_experts", "num_experts")
    ssm = Ssm(
        n_embd=s.n_embd,
        inner=config.positive("mamba_expand") * s.n_embd,
        state=config.optional_integer("mamba_d_state") or 16,
        kernel=config.optional_integer("mamba_d_conv") or 4,
        rank=config.optional_integer("mamba_dt_rank") or -(s.n_embd // -16),
    )
    attending = every(s.n_layer, config.positive("attn_layer_period"), config.integer("attn_layer_offset"))
    sparse = every(s.n_layer, config.positive("expert_layer_period"), config.integer("expert_layer_offset"))
    metadata = [
        ("jamba.block_count", u32(s.n_layer)),
        ("jamba.context_length", u32(config.integer("max_position_embeddings", "n_ctx"))),
        ("jamba.embedding_length", u32(s.n_embd)),
        ("jamba.feed_forward_length", u32(s.n_ff)),
        ("jamba.attention.head_count", u32(s.n_head)),
        ("jamba.attention.head_count_kv",
         array(ValueType.INT32, (s.n_head_kv if i in attending else 0 for i in range(s.n_layer)))),
        *ssm_metadata(ssm, "jamba"),
        ("jamba.attention.layer_norm_rms_epsilon",
         f32(config.optional_number("layer_norm_epsilon", "rms_norm_eps") or 1e-6)),
        ("jamba.expert_count", u32(n_expert)),
        ("jamba.expert_used_count", u32(config.integer("num_experts_per_tok", "num_experts_per_token"))),
        (FILE_TYPE, u32(0)),
    ]  # fmt: skip
    others = [i for i in range(s.n_layer) if i not in attending]
    mixer = f"{LAYERS}.mamba"
    return Arch(
        name="jamba",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="jamba",
        metadata=tuple(metadata),
        rules=(
            Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "model.final_layernorm", (s.n_embd,)),
            Rule("output.weight", "lm_head.weight", shape=(s.n_vocab, s.n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
            *in_layers(attending, *attention(s)),
            *in_layers(others, *mamba_mixer(ssm, mixer)),
            *in_layers(
                others,
                *linear(f"{BLK}.ssm_dt_norm", f"{mixer}.dt_layernorm", (ssm.rank,)),
                *linear(f"{BLK}.ssm_b_norm", f"{mixer}.b_layernorm", (ssm.state,)),
                *linear(f"{BLK}.ssm_c_norm", f"{mixer}.c_layernorm", (ssm.state,)),
            ),
            *linear(f"{BLK}.ffn_norm", f"{LAYERS}.pre_ff_layernorm", (s.n_embd,)),
            *_feed_forwards(config, s, n_expert, sparse),
        ),
    )


def _feed_forwards(config: Config, s: Sizes, n_expert: int, sparse: tuple[int, ...]) -> tuple[Rule, ...]:
    """Feed-forwards with and without experts, under the names that the checkpoint has for them (3, 4)."""
    dense = [i for i in range(s.n_layer) if i not in sparse]
    rules: list[Rule] = []
    mini = any(".moe." in name for name in config.tensors)
    hf = f"{LAYERS}.{'moe' if mini else 'feed_forward'}"
    rules += in_layers(sparse, router(n_expert, s.n_embd, f"{hf}.router"))
    rules += in_layers(sparse, *stacks(n_expert, s.n_ff, s.n_embd, f"{hf}.experts", DOWN_GATE_UP))
    first = any(hf.replace("{i}", str(i)) + ".experts.0.gate_proj.weight" in config.tensors for i in dense)
    rules += in_layers(dense, *feed_forward(s.n_embd, s.n_ff, f"{hf}.experts.0" if first else hf))
    return tuple(rules)


def every(n_layer: int, period: int, offset: int) -> tuple[int, ...]:
    """Every `period`-th layer from `offset` on."""
    return tuple(range(offset, n_layer, period))
