"""Which type each tensor gets: llama-quantize's choice for a whole model.

`choose_types` answers for all tensors at once, because llama-quantize counts as it goes ("the i-th attn_v").
Source: llama.cpp of llama-cpp-python 0.3.36, src/llama-quant.cpp (`llama_tensor_get_type`). Exact: the same types.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ggufpress.arch.ops import Shape
from ggufpress.errors import UnsupportedError, UsageError
from ggufpress.quant.types import (
    F16,
    IQ1_M,
    IQ1_S,
    IQ2_S,
    IQ2_XS,
    IQ2_XXS,
    IQ3_S,
    IQ3_XXS,
    IQ4_NL,
    IQ4_XS,
    Q2_0,
    Q2_K,
    Q3_K,
    Q4_0,
    Q4_K,
    Q5_0,
    Q5_1,
    Q5_K,
    Q6_K,
    Q8_0,
    TQ1_0,
    TQ2_0,
    QType,
)  # fmt: skip
from ggufpress.recipe.checks import check_importance, check_overrides, refuse_fallbacks
from ggufpress.recipe.decision import Decision, Step
from ggufpress.recipe.importance import (
    IMPOSSIBLE_WITHOUT,
    INDIFFERENT,
    entry_fits,
    needs_importance,
    upgraded,
)
from ggufpress.recipe.mixture import LOW, VALUES, ModelFacts, Spot, mixed
from ggufpress.recipe.names import kept_because, layer, quantizer_order, role
from ggufpress.recipe.presets import COPY
from ggufpress.recipe.recipe import Override, Recipe

FALLBACKS: dict[QType, QType] = {
    **dict.fromkeys((IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ4_XS), IQ4_NL),
    **dict.fromkeys((Q2_0, Q2_K, Q3_K, TQ1_0, TQ2_0), Q4_0),
    Q4_K: Q5_0,
    Q5_K: Q5_1,
    Q6_K: Q8_0,
}
"""What a type becomes where the row length is no multiple of its block; where that does not fit either, F16."""

AT_LEAST_8_BITS = ("attn_q_a", "attn_q_b", "nextn.eh_proj")
"""Parts of names that get Q8_0 in every mix of glm5-next."""


def choose_types(
    tensors: Sequence[tuple[str, Shape, QType]],
    recipe: Recipe,
    model: ModelFacts,
    importance: Mapping[str, int] | None = None,
    *,
    in_order: bool = False,
) -> dict[str, Decision]:
    """The decision for each of `tensors` (name, shape, type in the file that llama-quantize would read).

    `importance` tells how many numbers the importance matrix has for them by name; `model.imatrix` that there is one at
    all. The result is in the order in which llama-quantize writes them: its own, or with `in_order` that of `tensors`.
    Raises UsageError where a rule matches nothing or a type does not fit, ImatrixError where importance is needed and
    missing.
    """
    importance = importance or {}
    by_name = {name: (shape, qtype) for name, shape, qtype in tensors}
    state = _State(
        recipe,
        replace(model, imatrix=model.imatrix or bool(importance)),
        sum(role(name) in VALUES.split() for name in by_name),
    )
    decisions: dict[str, Decision] = {}
    kept: set[str] = set()
    for name in by_name if in_order else quantizer_order(by_name):
        shape, source = by_name[name]
        reason = kept_because(name, shape, model.arch, leave_output=recipe.leave_output_tensor)
        if recipe.preset is COPY or reason:
            kept.add(name)
            rule, why = (
                ("preset COPY", "COPY") if recipe.preset is COPY else ("llama-quantize keeps it as it is", reason)
            )
            decisions[name] = Decision(source, rule, steps=(Step("may change", f"no: {why}"),))
            continue
        decided = state.decide(name, shape)
        if decided.qtype is not source:
            decided = _weighed(name, shape, decided, recipe, importance)
        decisions[name] = decided
    check_overrides(recipe, [name for name in by_name if name not in kept], kept)
    if recipe.no_fallback:
        refuse_fallbacks(decisions)
    if recipe.on_missing == "fail":
        check_importance(decisions, recipe, importance)
    return decisions


@dataclass
class _State:
    """The tensors so far, counted by role as the mix counts them."""

    recipe: Recipe
    model: ModelFacts
    n_values: int
    seen: Counter[str] = field(default_factory=Counter)

    def decide(self, name: str, shape: Shape) -> Decision:
        """The type of a tensor that may change."""
        steps = [Step("may change", "yes")]
        kind = role(name)
        found = self._match(name)
        for wanted, option, of in (
            (self.recipe.token_embedding_type, "--token-embedding-type", "token_embd"),
            (self.recipe.output_tensor_type, "--output-tensor-type", "output"),
        ):
            if wanted is None:
                steps.append(Step(option, "not given"))
            elif kind != of:
                steps.append(Step(option, "another tensor"))
            elif found and name == "per_layer_token_embd.weight":
                steps.append(Step(option, f"yields to the rule {found[1]}"))
            else:
                return _unfitted(name, shape, wanted, option, steps)
        own = self.recipe.preset.qtype
        if not own.quantized:
            steps.append(Step(f"preset {self.recipe.preset.name}", f"{own}"))
            return Decision(own, f"preset {self.recipe.preset.name}", steps=tuple(steps))
        return _fitted(name, shape[-1], *self._wanted(name, shape, kind, found, steps), steps)

    def _match(self, name: str) -> tuple[int, Override] | None:
        return next(((i, rule) for i, rule in enumerate(self.recipe.overrides, 1) if rule.matches(name)), None)

    def _wanted(
        self, name: str, shape: Shape, kind: str, found: tuple[int, Override] | None, steps: list[Step]
    ) -> tuple[QType, str]:
        """The type before the shape is looked at, and what chose it."""
        preset = self.recipe.preset
        if not self.recipe.overrides:
            steps.append(Step("--tensor-type", "not given"))
        elif not found:
            steps.append(Step("--tensor-type", f"none of {len(self.recipe.overrides)} rules matches"))
        else:
            number, rule = found
            steps.append(Step("--tensor-type", f"rule {number}, {rule}, matches: {rule.qtype}"))
            return rule.qtype, f"rule {rule}"
        if self.recipe.pure:
            steps.append(Step("--pure", f"no mix: {preset.qtype}"))
            return preset.qtype, f"preset {preset.name}, pure"
        qtype, why = self._mixture(name, shape, kind)
        steps.append(Step(f"the mix of {preset.name}", f"{why}: {qtype}"))
        return qtype, why

    def _mixture(self, name: str, shape: Shape, kind: str) -> tuple[QType, str]:
        preset, model = self.recipe.preset, self.model
        if model.arch == "glm5-next" and any(part in name for part in AT_LEAST_8_BITS):
            return Q8_0, "glm5-next needs 8 bits here"
        if kind == "token_embd" and model.tied:
            if self.recipe.output_tensor_type:
                return self.recipe.output_tensor_type, "--output-tensor-type, as the embedding is the output matrix too"
            kind = "output"
        counter, n = ("values", self.n_values) if kind in VALUES.split() else (kind, model.n_layer)
        # in files of 3 bits and more, experts are counted by the layer in their name
        by_name = kind.startswith("ffn_") and model.n_expert > 1 and preset.name not in LOW.split()
        i = layer(name) if by_name else self.seen[counter]
        self.seen[counter] += 1
        stacked = len(shape) >= 3 and shape[-3] > 1 and (model.arch != "bailingmoe3" or kind.startswith("ffn_"))
        return mixed(Spot(kind, i, n, stacked, preset.qtype.fits(shape[-1]), preset, model))


def _unfitted(name: str, shape: Shape, wanted: QType, option: str, steps: list[Step]) -> Decision:
    """The decision of an option that llama-quantize obeys without a look at the shape."""
    if not wanted.fits(shape[-1]):
        raise UsageError(
            f"{name} cannot be {wanted}: rows of {shape[-1]} are no multiple of {wanted.block}",
            hint=f"give {option} a type of smaller blocks, such as Q8_0 or F16",
        )
    steps.append(Step(option, str(wanted)))
    return Decision(wanted, option, steps=tuple(steps))


def _fitted(name: str, cols: int, wanted: QType, why: str, steps: list[Step]) -> Decision:
    if wanted.fits(cols):
        steps.append(Step("shape", f"rows of {cols} are whole blocks of {wanted}"))
        return Decision(wanted, why, steps=tuple(steps))
    reason = f"{wanted} does not fit: rows of {cols} are no multiple of {wanted.block}"
    if wanted not in FALLBACKS and wanted.block > 32:
        raise UnsupportedError(
            f"{name}: {reason}, and llama-quantize has no smaller type for it", hint="choose another preset"
        )
    smaller = FALLBACKS.get(wanted, wanted)
    qtype = smaller if smaller.fits(cols) else F16
    steps.append(Step("shape", f"{reason}, so {qtype}"))
    return Decision(qtype, why, reason, steps=tuple(steps))


def _weighed(name: str, shape: Shape, decided: Decision, recipe: Recipe, entries: Mapping[str, int]) -> Decision:
    """The decision with the importance that there is for it, or the way out that `on_missing` says."""
    has = bool(entries) and entry_fits(name, shape, entries)
    qtype = decided.qtype
    if has:
        idle = not qtype.quantized or qtype in INDIFFERENT
        step = Step("importance", "the matrix has it" + (f", {qtype} does not use it" if idle else ""))
        return replace(decided, importance="none" if idle else "entry", steps=(*decided.steps, step))
    state = "the matrix has none" if entries else "no matrix"
    if not needs_importance(name, qtype, recipe.preset):
        return replace(decided, steps=(*decided.steps, Step("importance", state)))
    if recipe.on_missing == "upgrade":
        better = upgraded(name, qtype, recipe.preset)
        step = Step("importance", f"{state}, which {qtype} needs: --on-missing upgrade gives {better}")
        return replace(decided, qtype=better, upgrade=qtype, steps=(*decided.steps, step))
    step = Step("importance", f"{state}, which {qtype} needs: --on-missing {recipe.on_missing}")
    # ggml cannot do these without weights; all ones is what "unweighted" means
    return replace(
        decided,
        importance="ones" if qtype in IMPOSSIBLE_WITHOUT else "none",
        upgrade=None,
        steps=(*decided.steps, step),
    )
