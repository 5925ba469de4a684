"""The plan: for each output file every tensor with its sources, ops, type, bytes and final offset. From headers only.

A plan is total and frozen: nothing is decided later. The header of each output is complete before a weight is read.
"""

from ggufpress.planning.build import Plan, build_plan
from ggufpress.planning.model import Model
from ggufpress.planning.output import OutputPlan
from ggufpress.planning.planned_tensor import PlannedTensor

__all__ = ["Model", "OutputPlan", "Plan", "PlannedTensor", "build_plan"]
