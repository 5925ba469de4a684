"""Granite 4 (GraniteMoeHybrid) and Bamba: Mamba 2 layers with some attention layers between them.

How the checkpoint differs from the GGUF layout:

1. layer_types (Granite), or attn_layer_indices or a period (Bamba), say which layers have attention; the number of
   key/value heads becomes a list with 0 for the others.
2. q and k are permuted head by head; the mixers are those of Mamba 2.
3. Experts and shared experts as in Granite 3: stacked, gate and up in one tensor. Without experts the shared one is the
   feed-forward. Bamba has an ordinary feed-forward.
4. Attention has no rotary embedding beside Mamba layers, but for Bamba: then the context is 2^20, and
   rope.scaling.finetuned is false. attn_rotary_emb counts the rotated dimensions.
5. A model whose layers all have attention is a plain Granite for llama.cpp, with the keys of the mixers all the same.
6. config.json is read as it stands: transformers' classes do not count here.
7. The vocabulary is padded to a multiple of 8 where there are Mamba layers.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/granite.py (GraniteHybridModel).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.experts import in_layers
from ggufpress.arch.families.granite import granite_metadata
from ggufpress.arch.families.granite_moe import experts, shared_expert
from ggufpress.arch.families.jamba import every
from ggufpress.arch.families.mamba import CONTEXT, padded_vocab
from ggufpress.arch.layers import (
    BLK,
    LAYERS,
    Sizes,
    attention,
    computed_frequencies,
    ends,
    feed_forward,
    linear,
    norms,
    sizes,
)
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.ssm import Ssm, mamba2_mixer
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, flag, u32

CLASSES = ("GraniteMoeHybridForCausalLM", "BambaForCausalLM")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a hybrid Granite model. Raises ConfigError for a config that does not make sense."""
    s = replace(sizes(config), n_head_kv=config.positive("num_key_value_heads"))
    ssm = Ssm(
        n_embd=s.n_embd,
        inner=config.positive("expand", "mamba_expand") * s.n_embd,
        state=config.positive("state_size", "mamba_d_state"),
        kernel=config.positive("conv_kernel", "mamba_d_conv"),
        rank=config.positive("mamba_n_heads", "mamba_num_heads"),
        groups=config.positive("n_groups", "mamba_n_groups"),
    )
    if config.find("hidden_act") not in (None, "silu"):
        raise UnsupportedError(f"{config.path}: llama.cpp's hybrid Granite has no other activation than silu")
    if ssm.inner % ssm.groups:
        raise config.wrong(("mamba_n_groups",), f"a divisor of the inner size {ssm.inner}")
    attending = attention_layers(config, s.n_layer)
    others = tuple(i for i in range(s.n_layer) if i not in attending)
    name = "granitehybrid"
    if not others:
        name = "granitemoe" if config.find("num_experts_per_tok", "num_experts_per_token") else "granite"
    bamba = hf_class == "BambaForCausalLM"
    n_expert = 0 if bamba else config.optional_integer("num_local_experts") or 0
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=padded_vocab(config.without("pad_vocab_size_multiple"), 8 if others else 1)[1],
        vocab="spm-or-bpe",
        metadata=tuple(_metadata(config, s, ssm, name, attending, bamba or not others).items()),
        rules=(
            *(_bamba_ends_and_norms(s) if bamba else (*ends(s), *norms(s))),
            *in_layers(attending, *attention(s, permuted=True)),
            *in_layers(others, *mamba2_mixer(ssm, f"{LAYERS}.mamba")),
            *(
                feed_forward(s.n_embd, s.n_ff, f"{LAYERS}.feed_forward")
                if bamba
                else _feed_forward(config, s, n_expert)
            ),
        ),
        drops=computed_frequencies(),
    )


def _bamba_ends_and_norms(s: Sizes) -> tuple[Rule, ...]:
    return (
        Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
        *linear("output_norm", "model.final_layernorm", (s.n_embd,)),
        Rule("output.weight", "lm_head.weight", shape=(s.n_vocab, s.n_embd), required=False),
        *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
        *linear(f"{BLK}.ffn_norm", f"{LAYERS}.pre_ff_layernorm", (s.n_embd,)),
    )


def _feed_forward(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    """Experts and the shared one, or that alone (3)."""
    n_shared = config.optional_integer("shared_intermediate_size") or 0
    return (
        *(experts(s, n_expert) if n_expert else ()),
        *(shared_expert(s.n_embd, n_shared, "_shexp" if n_expert else "") if n_shared else ()),
    )


def attention_layers(config: Config, n_layer: int) -> tuple[int, ...]:
    """The layers with attention (1). Raises ConfigError where the config does not say."""
    if kinds := config.find("layer_types"):
        if not isinstance(kinds, list) or len(kinds) != n_layer:
            raise config.wrong(("layer_types",), f"a list of {n_layer} kinds of layer")
        return tuple(i for i, kind in enumerate(kinds) if kind == "attention")
    if indices := config.find("attn_layer_indices"):
        if not isinstance(indices, list) or any(i not in range(n_layer) for i in indices):
            raise config.wrong(("attn_layer_indices",), f"a list of layers below {n_layer}")
        return tuple(sorted(indices))
    period, offset = config.positive("attn_layer_period"), config.integer("attn_layer_offset")
    return every(n_layer, period, offset) if offset < period else ()


def _metadata(
    config: Config, s: Sizes, ssm: Ssm, name: str, attending: tuple[int, ...], rotates: bool
) -> dict[str, Value]:
    keys = dict(granite_metadata(config, s, name))
    if n_shared := config.optional_integer("shared_intermediate_size"):
        keys[f"{name}.expert_shared_feed_forward_length"] = u32(n_shared)
    keys[f"{name}.ssm.conv_kernel"] = u32(ssm.kernel)
    keys[f"{name}.ssm.state_size"] = u32(ssm.state)
    keys[f"{name}.ssm.group_count"] = u32(ssm.groups)
    keys[f"{name}.ssm.inner_size"] = u32(ssm.inner)
    keys[f"{name}.ssm.time_step_rank"] = u32(ssm.rank)
    if rotated := config.optional_integer("attn_rotary_emb"):
        keys[f"{name}.rope.dimension_count"] = u32(rotated)
    heads = (s.n_head_kv if i in attending else 0 for i in range(s.n_layer))
    keys[f"{name}.attention.head_count_kv"] = array(ValueType.INT32, heads)
    keys[f"{name}.rope.scaling.finetuned"] = flag(rotates)
    if not rotates:
        keys[f"{name}.context_length"] = u32(CONTEXT)
    return keys
