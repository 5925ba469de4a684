"""Granite with sliding windows and experts.

How the checkpoint differs from the GGUF layout:

1. As Granite with sliding windows: see granite.py. Layers may have no sinks.
2. Experts are stored stacked, gate and up in one tensor, and so is the shared expert: llama.cpp keeps them so. Layers are
   dense where the checkpoint has no experts.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/granite.py (GraniteMoeSWAModel).
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.experts import in_layers, layers_with, named, router
from ggufpress.arch.families.granite import granite_metadata, windows
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.gguf.values import u32

CLASSES = ("GraniteMoeSWAForCausalLM",)
NAME = "granite_swa"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of such a Granite model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config.without("head_dim"))
    n_expert = config.optional_integer("num_local_experts") or 0
    metadata = [*granite_metadata(config, s, NAME), *windows(config, s)]
    shared = config.optional_integer("shared_intermediate_size") or 0
    if shared:
        metadata.append((f"{NAME}.expert_shared_feed_forward_length", u32(shared)))
    gate = named(config, f"{LAYERS}.block_sparse_moe.router.layer.weight", f"{LAYERS}.block_sparse_moe.router.weight")
    sparse = layers_with(config, s.n_layer, gate) if n_expert else ()
    sinks = f"{LAYERS}.self_attn.sinks"
    factors = llama3_factors(config, s.head_dim)
    return Arch(
        name=NAME,
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
            Rule(f"{BLK}.attn_sinks.weight", sinks, shape=(s.n_head,), layers=layers_with(config, s.n_layer, sinks)),
            *in_layers(tuple(i for i in range(s.n_layer) if i not in sparse), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(
                sparse, router(n_expert, s.n_embd, gate.removesuffix(".weight")), *_experts(s, n_expert, shared)
            ),
        ),
        drops=computed_frequencies(),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
    )


def _experts(s: Sizes, n_expert: int, shared: int) -> tuple[Rule, ...]:
    """The stacks under either name (2)."""
    hf, one = f"{LAYERS}.block_sparse_moe", f"{LAYERS}.shared_mlp"
    both, down = (n_expert, 2 * s.n_ff, s.n_embd), (n_expert, s.n_embd, s.n_ff)
    rules = [
        Rule(f"{BLK}.ffn_gate_up_exps.weight", f"{hf}.{name}", (), both, required=False)
        for name in ("experts.gate_up_proj", "input_linear.weight")
    ]
    rules += [
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.{name}", (), down, required=False)
        for name in ("experts.down_proj", "output_linear.weight")
    ]
    if shared:
        rules.append(Rule(f"{BLK}.ffn_up_shexp.weight", f"{one}.input_linear.weight", (), (2 * shared, s.n_embd)))
        rules.append(Rule(f"{BLK}.ffn_down_shexp.weight", f"{one}.output_linear.weight", (), (s.n_embd, shared)))
    return tuple(rules)
