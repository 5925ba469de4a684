"""Kimi K3: Kimi Linear with residuals across layers, experts in a smaller space, and gates of full rank.

How the checkpoint differs from the GGUF layout, besides what kimi_linear.py says:

1. What weighs the residuals is a norm times a projection: their product is one vector.
2. Experts work in a smaller space (routed_expert_hidden_size), with a matrix into it, one out of it, and a norm.
3. The projection g_proj gates the heads of full attention, and the values of delta attention.
4. The token that ends a text is the config's, and without a chat template Kimi K3's is written.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/kimi_k3.py.
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import GATE_DOWN_UP, in_layers, router, score_bias, stacks
from ggufpress.arch.families.deepseek_mla import compressed_attention
from ggufpress.arch.families.kimi_linear import HF, SPARSE, delta, full_layers
from ggufpress.arch.gather import FirstRows, Gather
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import NegExp, Shape
from ggufpress.arch.spec import Arch, Rule
from ggufpress.errors import MappingError, UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, f32, flag, u32

CLASSES = ("KimiK3ForConditionalGeneration",)
NAME = "kimi-k3"
SCORES = {
    f"{BLK}.attn_res_score.weight": f"{LAYERS}.self_attention_res",
    f"{BLK}.ffn_res_score.weight": f"{LAYERS}.mlp_res",
    "output_res_score.weight": "model.output_attn_res",
}


@dataclass(frozen=True, slots=True)
class Product(Gather):
    """Two vectors multiplied element by element: (2, n) -> (n,). Exact: one rounding, in F32."""

    @property
    def spread(self) -> int:
        """Two weights make one."""
        return 2

    @property
    def widens(self) -> bool:
        """It computes."""
        return True

    def out_shape(self, shape: Shape) -> Shape:
        """One vector."""
        if len(shape) != 2 or shape[0] != 2:
            raise MappingError(f"{list(shape)} is no pair of vectors")
        return shape[1:]

    def runs(self, shape: Shape, first: int, count: int) -> Iterator[tuple[int, int]]:
        """A run of each."""
        yield first, count
        yield shape[1] + first, count

    def arrange(self, weights: NDArray[np.uint32], shape: Shape) -> NDArray[np.uint32]:
        """The products."""
        one, other = weights.view(np.float32).reshape(2, -1)
        product: NDArray[np.float32] = one * other
        return product.view(np.uint32)

    def __str__(self) -> str:
        return "product"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Kimi K3 model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config.without("head_dim"))
    linear_config = config.section("linear_attn_config")
    if linear_config is None:
        raise config.wrong(("linear_attn_config",), "an object")
    for key, wanted in (("mla_use_nope", True), ("hidden_act", "situ"), ("moe_router_activation_func", "sigmoid")):
        if config.find(key) != wanted:
            raise UnsupportedError(
                f"{config.path}: {key} is {config.find(key)!r:.40}, llama.cpp knows {wanted!r} alone"
            )
    full = full_layers(linear_config, s.n_layer)
    others = [i for i in range(s.n_layer) if i not in full]
    n_expert, n_dense = config.positive("num_experts"), min(config.integer("first_k_dense_replace"), s.n_layer)
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="kimi-k3",
        metadata=tuple(_metadata(config, linear_config, full, s.n_layer).items()),
        rules=(
            *ends(s),
            *norms(s),
            *(
                Rule(target, f"{source}_{{e}}.weight", (), (s.n_embd,), gather=Product(), stack=("norm", "proj"), flat=True)
                for target, source in SCORES.items()
            ),
            *in_layers(full, *compressed_attention(config, s)),
            *in_layers(full, *linear(f"{BLK}.attn_gate", f"{HF}.g_proj", (s.n_head * config.positive("v_head_dim"), s.n_embd),
                                     required=False)),
            *in_layers(others, *_delta(linear_config, s)),
            *in_layers(range(n_dense), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, s.n_layer), *_experts(config, s, n_expert)),
        ),
    )  # fmt: skip


def _delta(config: Config, s: Sizes) -> tuple[Rule, ...]:
    inner = config.positive("num_heads") * config.positive("head_dim")
    return (
        *(rule for rule in delta(config, s) if not rule.target.startswith((f"{BLK}.ssm_g_", f"{BLK}.ssm_a"))),
        *linear(f"{BLK}.ssm_g", f"{HF}.g_proj", (inner, s.n_embd)),
        Rule(f"{BLK}.ssm_a", f"{HF}.A_log", (NegExp(widens=True),), gather=FirstRows(s.n_head)),
    )


def _experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    latent, n_ff = config.optional_integer("routed_expert_hidden_size"), config.positive("moe_intermediate_size")
    n_shared, inner = config.integer("num_shared_experts"), latent or s.n_embd
    into = (
        *linear(f"{BLK}.ffn_routed_down", f"{SPARSE}.routed_expert_down_proj", (inner, s.n_embd)),
        *linear(f"{BLK}.ffn_routed_up", f"{SPARSE}.routed_expert_up_proj", (s.n_embd, inner)),
        *linear(f"{BLK}.ffn_routed_norm", f"{SPARSE}.routed_expert_norm", (inner,), required=False),
    )
    return (
        router(n_expert, s.n_embd, f"{SPARSE}.gate"),
        score_bias(n_expert, f"{SPARSE}.gate.e_score_correction_bias"),
        *stacks(n_expert, n_ff, inner, f"{SPARSE}.experts", GATE_DOWN_UP),
        *(into if latent else ()),
        *(feed_forward(s.n_embd, n_ff * n_shared, f"{SPARSE}.shared_experts", "_shexp") if n_shared else ()),
    )


def _metadata(config: Config, linear_config: Config, full: Sequence[int], n_layer: int) -> dict[str, Value]:
    keys = dict(decoder_metadata(config.replace(num_key_value_heads=1), NAME))
    keys |= needed(config, NAME, ("vocab_size", "vocab_size"))
    keys[f"{NAME}.attention.head_count_kv"] = array(ValueType.INT32, (int(i in full) for i in range(n_layer)))
    keys |= needed(linear_config, NAME, ("ssm.conv_kernel", "short_conv_kernel_size"), ("kda.head_dim", "head_dim"))
    if (bound := linear_config.optional_number("gate_lower_bound")) is not None:
        keys[f"{NAME}.kda.gate_lower_bound"] = f32(bound)
    if (rank := config.optional_integer("q_lora_rank")) is not None:
        keys[f"{NAME}.attention.q_lora_rank"] = u32(rank)
    kept, rotated = config.integer("kv_lora_rank"), config.integer("qk_rope_head_dim")
    keys[f"{NAME}.attention.kv_lora_rank"] = u32(kept)
    keys[f"{NAME}.rope.dimension_count"] = u32(rotated)
    keys[f"{NAME}.attention.key_length"] = u32(kept + rotated)
    keys[f"{NAME}.attention.value_length"] = u32(kept)
    keys[f"{NAME}.attention.key_length_mla"] = u32(config.integer("qk_nope_head_dim") + rotated)
    keys[f"{NAME}.attention.value_length_mla"] = u32(config.integer("v_head_dim"))
    keys |= needed(config, NAME, ("expert_feed_forward_length", "moe_intermediate_size"),
                   ("expert_shared_count", "num_shared_experts"),
                   ("leading_dense_block_count", "first_k_dense_replace"))  # fmt: skip
    keys[f"{NAME}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    keys[f"{NAME}.expert_weights_norm"] = flag(config.flag("moe_renormalize", default=False))
    if (latent := config.optional_integer("routed_expert_hidden_size")) is not None:
        keys[f"{NAME}.expert_latent_length"] = u32(latent)
    for key in ("situ_beta", "situ_linear_beta"):
        keys[f"{NAME}.activation.{key}"] = f32(config.number(f"activation_{key}"))
    keys[f"{NAME}.attn_res.block_size"] = u32(config.integer("attn_res_block_size"))
    return keys
