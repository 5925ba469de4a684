"""SmallThinker.

How the checkpoint differs from the GGUF layout:

1. Experts of three matrices (gate, up, down) are stacked. The router is called primary_router.
2. The width of an expert is written as feed_forward_length too.
3. A sliding window is written where sliding_window_layout has a layer with one. llama.cpp knows which they are.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/smallthinker.py.
transformers 4.57.6 has no class for model_type smallthinker: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import router, stacks
from ggufpress.arch.layers import LAYERS, attention, ends, norms, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import u32

CLASSES = ("SmallThinkerForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a SmallThinker model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config.with_defaults({"intermediate_size": 1}))
    stated = config.optional_integer("moe_num_primary_experts")
    n_expert = stated or config.positive("num_local_experts", "num_experts")
    n_ff = config.positive("moe_ffn_hidden_size")
    keys = dict(decoder_metadata(config, "smallthinker"))
    if stated is not None:
        keys["smallthinker.expert_count"] = u32(stated)
    if (used := config.optional_integer("moe_num_active_primary_experts")) is not None:
        keys["smallthinker.expert_used_count"] = u32(used)
    keys["smallthinker.expert_feed_forward_length"] = u32(n_ff)
    keys["smallthinker.feed_forward_length"] = u32(n_ff)
    keys["smallthinker.expert_gating_func"] = u32(
        1 if config.flag("moe_primary_router_apply_softmax", default=False) else 2
    )
    layout = config.find("sliding_window_layout") or []
    if not isinstance(layout, list):
        raise config.wrong(("sliding_window_layout",), "a list of zeros and ones")
    if any(layout) and (window := config.optional_integer("sliding_window_size")):
        keys["smallthinker.attention.sliding_window"] = u32(window)
    hf = f"{LAYERS}.block_sparse_moe"
    return Arch(
        name="smallthinker",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(keys.items()),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            router(n_expert, s.n_embd, f"{hf}.primary_router"),
            *stacks(n_expert, n_ff, s.n_embd, f"{hf}.experts", "down gate up"),
        ),
    )
