"""Ling 3 (Bailing MoE V3) and the language model of its multimodal checkpoints: delta attention (KDA), MLA, and experts.

How the checkpoint differs from the GGUF layout:

1. Every layer_group_size-th layer has full attention, compressed as DeepSeek's, and so have those of a last group that is
   not whole; the number of key heads becomes a list with 1 for those and 0 for the others.
2. Kernels of convolutions have four axes in GGUF. Decay rates become exponentials, one in each row.
3. The projection g_proj gates the heads of full attention, and the values of delta attention.
4. The first layers are dense; in the others experts are stacked, and shared experts are one.
5. Layers behind those of the model predict further tokens: kept, and counted as blocks, with full attention.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bailingmoe3.py.
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import in_layers, router, stacks
from ggufpress.arch.families.deepseek_mla import compressed_attention
from ggufpress.arch.gather import Reshape
from ggufpress.arch.later_layers import n_later, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import Array, Op
from ggufpress.arch.rope import mrope_section
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.arch.torch_exp import torch_exp
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, f32, flag, u32

CLASSES = ("BailingMoeV3ForCausalLM", "BailingMoeV3VLForConditionalGeneration")
NAME = "bailingmoe3"
HF = f"{LAYERS}.attention"


@dataclass(frozen=True, slots=True)
class Exp(Op):
    """The exponential of each weight. shapes: any -> the same. Exact: as torch computes it, see `torch_exp`."""

    def apply(self, rows: Array, period: int) -> Array:
        """The results, in the type of `rows`."""
        with np.errstate(over="ignore"):
            return torch_exp(rows.astype(np.float32, copy=False)).astype(rows.dtype)

    def __str__(self) -> str:
        return "exp"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Ling 3 model. Raises ConfigError for a config that does not make sense."""
    _check(config)
    s = sizes(config)
    later = n_later(config, s.n_layer) or 0
    n_layer, n_expert = s.n_layer + later, config.positive("num_local_experts", "num_experts")
    full = full_layers(config, s.n_layer, n_layer)
    n_dense = min(config.integer("first_k_dense_replace"), n_layer)
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, full, n_layer, later, "VL" in hf_class).items()),
        rules=(
            Rule("token_embd.weight", "model.word_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "model.norm", (s.n_embd,)),
            *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
            *norms(s),
            *in_layers(full, *_full_attention(config, s)),
            *in_layers([i for i in range(n_layer) if i not in full], *_delta(config, s)),
            *in_layers(range(n_dense), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, n_layer), *_experts(config, s, n_expert)),
            *prediction(s, range(s.n_layer, n_layer)),
            *in_layers(
                range(s.n_layer, n_layer),
                *linear(f"{BLK}.layer_output_norm", f"{LAYERS}.final_layernorm", (s.n_embd,), required=False),
            ),
        ),
        drops=(Drop("linear_proj.*", "it belongs to the vision part, which is a file of its own in llama.cpp"),),
    )


def _check(config: Config) -> None:
    """Raises UnsupportedError for what llama.cpp does not know of this attention."""
    for key, wanted in (
        ("no_kda_lora", True),
        ("kda_safe_gate", True),
        ("gated_attention_proj_granularity_type", "head_wise"),
    ):
        if config.find(key) != wanted:
            raise UnsupportedError(
                f"{config.path}: {key} is {config.find(key)!r:.40}, llama.cpp knows {wanted!r} alone"
            )


def full_layers(config: Config, n_main: int, n_layer: int) -> tuple[int, ...]:
    """The layers with full attention, counted from 0 (1, 5)."""
    group = config.positive("layer_group_size")
    return tuple(i for i in range(n_layer) if (i + 1) % group == 0 or i >= n_main // group * group)


def _metadata(config: Config, full: Sequence[int], n_layer: int, later: int, vision: bool) -> dict[str, Value]:
    keys = dict(decoder_metadata(config.replace(num_key_value_heads=1), NAME))
    keys[f"{NAME}.block_count"] = u32(n_layer)
    keys[f"{NAME}.attention.head_count_kv"] = array(ValueType.INT32, (int(i in full) for i in range(n_layer)))
    keys |= needed(config, NAME, ("vocab_size", "vocab_size"), ("ssm.conv_kernel", "short_conv_kernel_size"),
                   ("kda.head_dim", "head_dim"))  # fmt: skip
    keys[f"{NAME}.kda.safe_gate"] = flag(True)
    keys[f"{NAME}.kda.gate_lower_bound"] = f32(config.number("kda_lower_bound"))
    kept, rotated = config.integer("kv_lora_rank"), config.integer("qk_rope_head_dim")
    if (rank := config.optional_integer("q_lora_rank")) is not None:
        keys[f"{NAME}.attention.q_lora_rank"] = u32(rank)
    keys[f"{NAME}.attention.kv_lora_rank"] = u32(kept)
    keys[f"{NAME}.rope.dimension_count"] = u32(rotated)
    keys[f"{NAME}.attention.key_length"] = u32(kept + rotated)
    keys[f"{NAME}.attention.key_length_mla"] = u32(config.integer("qk_nope_head_dim") + rotated)
    keys[f"{NAME}.attention.value_length_mla"] = u32(config.integer("v_head_dim"))
    keys |= needed(config, NAME, ("expert_feed_forward_length", "moe_intermediate_size"),
                   ("expert_shared_feed_forward_length", "moe_shared_expert_intermediate_size"))  # fmt: skip
    keys[f"{NAME}.expert_shared_count"] = u32(
        config.with_defaults({"num_shared_experts": 1}).integer("num_shared_experts")
    )
    keys[f"{NAME}.leading_dense_block_count"] = u32(config.integer("first_k_dense_replace"))
    keys[f"{NAME}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    keys[f"{NAME}.expert_weights_norm"] = flag(config.flag("norm_topk_prob", default=False))
    for part, source in (("exp", "expert_swiglu_limit_list"), ("shexp", "share_expert_swiglu_limit_list")):
        if config.find(source) is not None:
            keys[f"{NAME}.swiglu_clamp_{part}"] = array(ValueType.FLOAT32, _limits(config, source, n_layer))
    if later:
        keys[f"{NAME}.nextn_predict_layers"] = u32(later)
    if vision:
        sections = (*mrope_section(config)[:3], 0)
        if 2 * sum(sections) != rotated:
            raise config.wrong(("mrope_section",), f"numbers whose sum is half of qk_rope_head_dim, {rotated},")
        keys[f"{NAME}.rope.dimension_sections"] = array(ValueType.INT32, sections)
    return keys


def _limits(config: Config, key: str, n_layer: int) -> list[float]:
    """A limit for each layer, 0 where there is none."""
    values = config.find(key)
    if not isinstance(values, list) or not all(
        x is None or (type(x) in (int, float) and abs(x) < 3e38) for x in values
    ):
        raise config.wrong((key,), "a list of numbers")
    return [float(x or 0) for x in (values + [0] * n_layer)[:n_layer]]


def _full_attention(config: Config, s: Sizes) -> tuple[Rule, ...]:
    rules = compressed_attention(config.replace(num_key_value_heads=s.n_head), s, HF)
    return (
        *(replace(r, copies=(r.source.replace("o_proj", "dense"),)) if "attn_output" in r.target else r for r in rules),
        *linear(f"{BLK}.attn_gate", f"{HF}.g_proj", (s.n_head, s.n_embd), required=False),
    )


def _delta(config: Config, s: Sizes) -> tuple[Rule, ...]:
    """Delta attention: convolutions of q, k and v, and gates of full rank (2, 3)."""
    head_dim, kernel = config.positive("head_dim"), config.positive("short_conv_kernel_size")
    inner = s.n_head * head_dim
    rules: list[Rule] = []
    for part in "qkv":
        shape = (1, inner, 1, kernel)
        rules += linear(f"{BLK}.attn_{part}", f"{HF}.{part}_proj", (inner, s.n_embd))
        source = f"{HF}.{part}_conv1d.weight"
        rules.append(Rule(f"{BLK}.ssm_conv1d_{part}.weight", source, shape=shape, gather=Reshape(shape)))
    return (
        *rules,
        *linear(f"{BLK}.attn_output", f"{HF}.o_proj", (s.n_embd, inner)),
        Rule(f"{BLK}.ssm_a", f"{HF}.A_log", (Exp(),), (s.n_head, 1), gather=Reshape((s.n_head, 1))),
        Rule(f"{BLK}.ssm_dt.bias", f"{HF}.dt_bias", shape=(inner,)),
        *linear(f"{BLK}.ssm_f_a", f"{HF}.f_proj", (inner, s.n_embd)),
        *linear(f"{BLK}.ssm_beta", f"{HF}.b_proj", (s.n_head, s.n_embd)),
        *linear(f"{BLK}.ssm_g_a", f"{HF}.g_proj", (inner, s.n_embd)),
        *linear(f"{BLK}.ssm_norm", f"{HF}.o_norm", (head_dim,)),
    )


def _experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    n_ff, shared = config.positive("moe_intermediate_size"), config.integer("moe_shared_expert_intermediate_size")
    return (
        router(n_expert, s.n_embd),
        Rule(f"{BLK}.exp_probs_b.bias", f"{LAYERS}.mlp.gate.expert_bias", (), (n_expert,), required=False),
        *stacks(n_expert, n_ff, s.n_embd),
        *(feed_forward(s.n_embd, shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if shared else ()),
    )
