"""What is wrong with a recipe for this model, found before any weight is read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from ggufpress.errors import ImatrixError, UsageError
from ggufpress.recipe.decision import Decision
from ggufpress.recipe.importance import needs_importance, upgraded
from ggufpress.recipe.recipe import LOWER, Recipe

SHOWN = 8


def check_overrides(recipe: Recipe, names: Sequence[str], kept: Collection[str]) -> None:
    """Raise UsageError for the first override that matches none of `names`, with the names nearest to it.

    `kept` are the names of tensors whose type never changes.
    """
    for rule in recipe.overrides:
        if any(rule.matches(name) for name in names):
            continue
        if found := next((name for name in kept if rule.matches(name)), None):
            raise UsageError(
                f"the rule {rule} matches only tensors that llama-quantize never changes, such as {found}",
                hint="leave it out",
            )
        raise UsageError(
            f"the rule {rule} matches no tensor of this model",
            hint=f"near to it: {', '.join(nearest(rule.pattern, names))}",
        )


def nearest(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that look most like `pattern`, one for each name without its layer."""
    stems = {re.sub(r"^blk\.\d+\.", "", name): name for name in reversed(names)}
    wanted = re.sub(r"[^a-z0-9_]+", ".", pattern.translate(LOWER)).strip(".")
    by_part = {part: stem for stem in stems for part in (stem, stem.removesuffix(".weight"))}
    close = get_close_matches(re.sub(r"^blk\.(\d+\.)?", "", wanted), by_part, n=SHOWN, cutoff=0.0)
    return [stems[stem] for stem in dict.fromkeys(by_part[part] for part in close)][:3]


def refuse_fallbacks(decisions: Mapping[str, Decision]) -> None:
    """Raise UsageError where a tensor's rows do not fit the type that was wanted."""
    fallen = {name: decision for name, decision in decisions.items() if decision.fallback}
    if fallen:
        first, decision = next(iter(fallen.items()))
        raise UsageError(
            f"{counted(fallen)} would get another type, the first is {first}: {decision.fallback}",
            hint=f"without --no-fallback it gets {decision.qtype}",
        )


def check_importance(decisions: Mapping[str, Decision], recipe: Recipe, importance: Mapping[str, int]) -> None:
    """Raise ImatrixError with a list of the tensors whose type needs importance that they do not have."""
    missing = {
        name: decision
        for name, decision in decisions.items()
        if decision.importance != "entry"
        and decision.steps[-1].rule == "importance"
        and needs_importance(name, decision.qtype, recipe.preset)
    }
    if not missing:
        return
    listed = [f"{name} ({decision.qtype})" for name, decision in missing.items()]
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    lacking = "the importance matrix has none for" if importance else "an importance matrix is needed for"
    name, decision = next(iter(missing.items()))
    better = upgraded(name, decision.qtype, recipe.preset)
    raise ImatrixError(
        f"{recipe.preset.name}: {lacking} {counted(missing)}: {', '.join(listed[:SHOWN])}{more}",
        hint="give --imatrix FILE with such entries, or --imatrix auto, which makes one; "
        f"or --on-missing upgrade, which takes types such as {better} instead; "
        "or --on-missing unweighted, which makes poor files",
    )


def counted(tensors: Collection[str]) -> str:
    """How many tensors, in words."""
    return f"{len(tensors)} tensor{'' if len(tensors) == 1 else 's'}"
