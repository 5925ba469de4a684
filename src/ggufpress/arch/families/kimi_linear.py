"""Kimi Linear: delta attention (KDA) in most layers, DeepSeek's compressed attention (MLA) in the others, experts.

How the checkpoint differs from the GGUF layout:

1. linear_attn_config says which layers have full attention, counted from 1; the number of key/value heads becomes a list
   with 1 for those and 0 for the others.
2. Keys and values of full attention are compressed as DeepSeek's are.
3. Kernels of convolutions have four axes in GGUF. Decay rates become minus exponentials.
4. The first layers are dense; in the others experts are stacked, and shared experts are one.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/kimi_linear.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count, decoder_metadata
from ggufpress.arch.experts import GATE_DOWN_UP, in_layers, router, score_bias, stacks
from ggufpress.arch.families.deepseek_mla import compressed_attention
from ggufpress.arch.gather import Reshape
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import NegExp
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, ValueType, array, f32, u32

CLASSES = ("KimiLinearModel", "KimiLinearForCausalLM")
HF = f"{LAYERS}.self_attn"
SPARSE = f"{LAYERS}.block_sparse_moe"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Kimi Linear model. Raises ConfigError for a config that does not make sense."""
    n_layer = block_count(config)
    s = sizes(config.without("head_dim"))
    linear_config = config.section("linear_attn_config")
    if linear_config is None:
        raise config.wrong(("linear_attn_config",), "an object")
    full = full_layers(linear_config, n_layer)
    n_expert = config.positive("num_local_experts", "num_experts")
    n_dense = min(config.integer("first_k_dense_replace"), n_layer)
    return Arch(
        name="kimi-linear",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, linear_config, full, n_layer).items()),
        rules=(
            *ends(s),
            *norms(s),
            *in_layers(full, *compressed_attention(config, s)),
            *in_layers([i for i in range(n_layer) if i not in full], *delta(linear_config, s)),
            *in_layers(range(n_dense), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, n_layer), *_experts(config, s, n_expert)),
        ),
    )


def full_layers(linear_config: Config, n_layer: int) -> tuple[int, ...]:
    """The layers with full attention, counted from 0."""
    stated = linear_config.find("full_attn_layers")
    if not isinstance(stated, list):
        raise linear_config.wrong(("full_attn_layers",), "a list of layers")
    return tuple(i for i in range(n_layer) if i + 1 in stated)


def _metadata(config: Config, linear_config: Config, full: Sequence[int], n_layer: int) -> dict[str, Value]:
    name = "kimi-linear"
    keys = dict(decoder_metadata(config.replace(num_key_value_heads=1), name))
    keys[f"{name}.vocab_size"] = u32(config.positive("vocab_size"))
    heads = (int(i in full) for i in range(n_layer))
    keys[f"{name}.attention.head_count_kv"] = array(ValueType.INT32, heads)
    if (kernel := linear_config.optional_integer("short_conv_kernel_size")) is not None:
        keys[f"{name}.ssm.conv_kernel"] = u32(kernel)
    if (head_dim := linear_config.optional_integer("head_dim")) is not None:
        keys[f"{name}.kda.head_dim"] = u32(head_dim)
    if (rank := config.optional_integer("q_lora_rank", "n_lora_q")) is not None:
        keys[f"{name}.attention.q_lora_rank"] = u32(rank)
    kept, rotated = config.positive("kv_lora_rank", "n_lora_kv"), config.integer("qk_rope_head_dim", "n_rot")
    keys[f"{name}.attention.kv_lora_rank"] = u32(kept)
    keys[f"{name}.rope.dimension_count"] = u32(rotated)
    keys[f"{name}.attention.key_length"] = u32(kept + rotated)
    key_length, plain = config.optional_integer("n_embd_head_k_mla"), config.optional_integer("qk_nope_head_dim")
    if key_length is None and plain is not None:
        key_length = plain + rotated
    if key_length is not None:
        keys[f"{name}.attention.key_length_mla"] = u32(key_length)
    value_length = config.optional_integer("n_embd_head_v_mla")
    if value_length is None:
        value_length = config.optional_integer("v_head_dim")
    if value_length is not None:
        keys[f"{name}.attention.value_length_mla"] = u32(value_length)
    keys[f"{name}.expert_feed_forward_length"] = u32(config.positive("moe_intermediate_size"))
    keys[f"{name}.expert_shared_count"] = u32(config.integer("num_shared_experts"))
    keys[f"{name}.leading_dense_block_count"] = u32(config.integer("first_k_dense_replace"))
    keys[f"{name}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    return keys


def delta(config: Config, s: Sizes) -> tuple[Rule, ...]:
    """Delta attention: convolutions of q, k and v, and gates of low rank (3)."""
    n_head, head_dim, kernel = (config.positive(k) for k in ("num_heads", "head_dim", "short_conv_kernel_size"))
    inner = n_head * head_dim
    convolved: list[Rule] = []
    for part in ("q", "k", "v"):
        shape = (1, inner, 1, kernel)
        convolved += linear(f"{BLK}.attn_{part}", f"{HF}.{part}_proj", (inner, s.n_embd))
        source = f"{HF}.{part}_conv1d.weight"
        convolved.append(Rule(f"{BLK}.ssm_conv1d_{part}.weight", source, shape=shape, gather=Reshape(shape)))
    return (
        *convolved,
        *linear(f"{BLK}.attn_output", f"{HF}.o_proj", (s.n_embd, inner)),
        Rule(f"{BLK}.ssm_a", f"{HF}.A_log", (NegExp(),)),
        Rule(f"{BLK}.ssm_dt.bias", f"{HF}.dt_bias", shape=(inner,)),
        *linear(f"{BLK}.ssm_f_a", f"{HF}.f_a_proj", (head_dim, s.n_embd)),
        *linear(f"{BLK}.ssm_f_b", f"{HF}.f_b_proj", (inner, head_dim)),
        *linear(f"{BLK}.ssm_beta", f"{HF}.b_proj", (n_head, s.n_embd)),
        *linear(f"{BLK}.ssm_g_a", f"{HF}.g_a_proj", (head_dim, s.n_embd)),
        *linear(f"{BLK}.ssm_g_b", f"{HF}.g_b_proj", (inner, head_dim)),
        *linear(f"{BLK}.ssm_norm", f"{HF}.o_norm", (head_dim,)),
    )


def _experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    n_ff, n_shared = config.positive("moe_intermediate_size"), config.integer("num_shared_experts")
    shared = feed_forward(s.n_embd, n_ff * n_shared, f"{SPARSE}.shared_experts", "_shexp") if n_shared else ()
    return (
        router(n_expert, s.n_embd, f"{SPARSE}.gate"),
        score_bias(n_expert, f"{SPARSE}.gate.e_score_correction_bias"),
        *stacks(n_expert, n_ff, s.n_embd, f"{SPARSE}.experts", GATE_DOWN_UP),
        *shared,
    )
