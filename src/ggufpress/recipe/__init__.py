"""Which type each tensor gets: presets, the user's rules, importance, and the files that say all of it."""

from ggufpress.recipe.choose import FALLBACKS, choose_types
from ggufpress.recipe.converter import converter_type
from ggufpress.recipe.decision import Decision, Step
from ggufpress.recipe.names import layer, quantizable, quantizer_order, role, stripped
from ggufpress.recipe.recipe import Override, Recipe

__all__ = [
    "FALLBACKS",
    "Decision",
    "Override",
    "Recipe",
    "Step",
    "choose_types",
    "converter_type",
    "layer",
    "quantizable",
    "quantizer_order",
    "role",
    "stripped",
]
