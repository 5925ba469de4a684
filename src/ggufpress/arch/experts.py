"""Rules of experts: a router and three matrices for each expert, which GGUF holds as three stacks.

Source of the target names: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/constants.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.layers import BLK, LAYERS, Sizes, feed_forward
from ggufpress.arch.source_names import rule_name
from ggufpress.arch.spec import EXPERT, LAYER, Rule

DOWN_GATE_UP = "down_proj gate_proj up_proj"
GATE_UP_DOWN = "gate_proj up_proj down_proj"
GATE_DOWN_UP = "w1 w2 w3"
"""What the matrices of an expert are called, in the order in which the converter writes their stacks."""

PARTS = {"w1": "gate", "w2": "down", "w3": "up"} | {
    name: part for part in ("gate", "down", "up") for name in (part, f"{part}_proj")
}


def stacks(
    n_expert: int, n_ff: int, n_embd: int, hf: str = f"{LAYERS}.mlp.experts", names: str = DOWN_GATE_UP,
    suffix: str = "exps",
) -> tuple[Rule, ...]:  # fmt: skip
    """The three stacks of the experts under `hf`, written together; `names` are those of their matrices."""
    shapes = {"gate": (n_expert, n_ff, n_embd), "up": (n_expert, n_ff, n_embd), "down": (n_expert, n_embd, n_ff)}
    return tuple(
        Rule(
            f"{BLK}.ffn_{part}_{suffix}.weight",
            f"{hf}.{EXPERT}.{name}.weight",
            shape=shapes[part],
            batch=suffix,
            stack=n_expert,
        )
        for name, part in ((name, PARTS[name]) for name in names.split())
    )


def router(n_expert: int, n_embd: int, source: str = f"{LAYERS}.mlp.gate") -> Rule:
    """The router's matrix."""
    return Rule(f"{BLK}.ffn_gate_inp.weight", f"{source}.weight", shape=(n_expert, n_embd))


def score_bias(n_expert: int, source: str = f"{LAYERS}.mlp.gate.e_score_correction_bias") -> Rule:
    """What is added to the scores when experts are chosen; a model may lack it."""
    return Rule(f"{BLK}.exp_probs_b.bias", source, shape=(n_expert,), required=False)


def in_layers(layers: Sequence[int], *rules: Rule) -> tuple[Rule, ...]:
    """The rules for some layers alone."""
    return tuple(replace(rule, layers=layers) for rule in rules)


def deepseek_experts(
    config: Config, s: Sizes, n_expert: int, shared: str = "n_shared_experts", names: str = DOWN_GATE_UP
) -> tuple[Rule, ...]:
    """A feed-forward as DeepSeek has it: router, correction of its scores, experts, and one for all shared ones."""
    n_ff, n_shared = config.positive("moe_intermediate_size"), config.optional_integer(shared) or 0
    return (
        router(n_expert, s.n_embd),
        score_bias(n_expert),
        *stacks(n_expert, n_ff, s.n_embd, names=names),
        *(feed_forward(s.n_embd, n_ff * n_shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if n_shared else ()),
    )


def named(config: Config, *templates: str) -> str:
    """The first of `templates` under which the checkpoint has a tensor in some layer, else the first of all."""
    names = [rule_name(name) for name in config.tensors]
    for template in templates:
        before, _, after = template.partition(LAYER)
        if any(name.startswith(before) and name.endswith(after) for name in names):
            return template
    return templates[0]


def layers_with(config: Config, n_layer: int, template: str) -> tuple[int, ...]:
    """The layers in which the checkpoint has a tensor of that name."""
    names = {rule_name(name) for name in config.tensors}
    return tuple(i for i in range(n_layer) if template.replace(LAYER, str(i)) in names)
