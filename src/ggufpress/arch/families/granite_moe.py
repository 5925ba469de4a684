"""Granite 3 with experts, and with shared experts.

How the checkpoint differs from the GGUF layout:

1. As Granite: q and k permuted per head, four factors of the config become keys, a head_dim is not written.
2. The experts are stored stacked, gate and up in one tensor: gate first. So are those of the shared expert.
3. A model of these classes that has no experts, only the shared one, is refused: llama.cpp has no place for it.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/granite.py (GraniteMoeModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.experts import router
from ggufpress.arch.families import granite
from ggufpress.arch.gather import Regroup
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, computed_frequencies, ends, norms, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import u32

CLASSES = ("GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM")

# transformers 4.57.6, models/{granitemoe,granitemoeshared}/configuration_*.py
_SHARED = {**granite.CONFIG_CLASSES["granite"].defaults, "num_local_experts": 8, "num_experts_per_tok": 2}
CONFIG_CLASSES = {
    "granitemoe": ConfigClass(_SHARED, renames_type=False),
    "granitemoeshared": ConfigClass(_SHARED | {"shared_intermediate_size": 0}, renames_type=False),
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Granite model with experts. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    if not (n_expert := config.optional_integer("num_local_experts") or 0):
        raise UnsupportedError(f"{config.path}: llama.cpp has no place for a {hf_class} without experts")
    n_shared = config.optional_integer("shared_intermediate_size") or 0
    metadata = granite.granite_metadata(config, s, "granitemoe")
    if n_shared:
        metadata.append(("granitemoe.expert_shared_feed_forward_length", u32(n_shared)))
    return Arch(
        name="granitemoe",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="llama",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s, permuted=True),
            *experts(s, n_expert),
            *(shared_expert(s.n_embd, n_shared) if n_shared else ()),
        ),
        drops=computed_frequencies(),
    )


def experts(s: Sizes, n_expert: int, hf: str = f"{LAYERS}.block_sparse_moe") -> tuple[Rule, ...]:
    """Router and experts of a layer (2)."""
    both, shape = f"{hf}.input_linear.weight", (n_expert, s.n_ff, s.n_embd)
    gate, up = Regroup(n_expert, ((0, s.n_ff),)), Regroup(n_expert, ((s.n_ff, 2 * s.n_ff),))
    down = (n_expert, s.n_embd, s.n_ff)
    return (
        router(n_expert, s.n_embd, f"{hf}.router.layer"),
        Rule(f"{BLK}.ffn_gate_exps.weight", both, shape=shape, gather=gate),
        Rule(f"{BLK}.ffn_up_exps.weight", both, shape=shape, gather=up),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.output_linear.weight", shape=down),
    )


def shared_expert(n_embd: int, n_ff: int, suffix: str = "_shexp", hf: str = f"{LAYERS}.shared_mlp") -> tuple[Rule, ...]:
    """The expert that all tokens share (2)."""
    both = f"{hf}.input_linear.weight"
    gate, up = Regroup(1, ((0, n_ff),)), Regroup(1, ((n_ff, 2 * n_ff),))
    return (
        Rule(f"{BLK}.ffn_gate{suffix}.weight", both, shape=(n_ff, n_embd), gather=gate),
        Rule(f"{BLK}.ffn_up{suffix}.weight", both, shape=(n_ff, n_embd), gather=up),
        Rule(f"{BLK}.ffn_down{suffix}.weight", f"{hf}.output_linear.weight", shape=(n_embd, n_ff)),
    )
