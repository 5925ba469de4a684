"""Why a tensor gets its type: every rule that was asked, in llama-quantize's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ggufpress.errors import UsageError
from ggufpress.planning.build import Plan
from ggufpress.planning.output import OutputPlan
from ggufpress.planning.planned_tensor import PlannedTensor
from ggufpress.recipe.decision import Step


@dataclass(frozen=True, slots=True)
class Explanation:
    """One tensor of one output, and how it came to its type."""

    output: OutputPlan
    tensor: PlannedTensor

    @property
    def steps(self) -> tuple[Step, ...]:
        """The rules in the order in which they were asked."""
        return self.tensor.decision.steps or (Step("the converter", self.tensor.rule),)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "file": str(self.output.path),
            "preset": self.output.preset.name,
            **self.tensor.to_json(),
            "steps": [{"rule": step.rule, "answer": step.answer} for step in self.steps],
        }


def explain(plan: Plan, names: Sequence[str]) -> list[Explanation]:
    """What decided about the tensors called `names` in each output. Raises UsageError where there is no such tensor."""
    known = [tensor.name for tensor in plan.model.tensors]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.0)
            raise UsageError(f"no tensor is called {name!r}", hint=f"near to it: {', '.join(near)}")
    return [
        Explanation(output, tensor)
        for name in names
        for output in plan.outputs
        for tensor in output.tensors
        if tensor.name == name
    ]
