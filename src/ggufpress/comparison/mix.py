"""Which preset explains the types of a file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ggufpress.comparison.sides import IMATRIX, Side
from ggufpress.errors import InputError
from ggufpress.gguf.values import text
from ggufpress.planning.gguf_model import gguf_model
from ggufpress.recipe import Recipe
from ggufpress.recipe.clone import cloned


@dataclass(frozen=True, slots=True)
class Mix:
    """The recipe that gives a file's types. `imatrix`: its preset's mix only fits a file that has an importance matrix.

    `exact`: the preset alone gives every type.
    """

    recipe: Recipe
    imatrix: bool

    @property
    def exact(self) -> bool:
        """Whether no rule is needed besides the preset."""
        return not self.recipe.has_rules

    def __str__(self) -> str:
        n = len(self.recipe.overrides)
        ends = [key for key in ("token_embedding_type", "output_tensor_type") if getattr(self.recipe, key)]
        words = [f"{self.recipe.preset.name}{' without its mix' if self.recipe.pure else ''}"]
        words += [f"another {key.partition('_')[0]} type" for key in ends]
        words += [f"{n} rule{'s' if n > 1 else ''} for tensors"] if n else []
        words += ["an importance matrix"] if self.imatrix else []
        return words[0] + (f" with {' and '.join(words[1:])}" if words[1:] else "")

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"text": str(self), "exact": self.exact, "imatrix": self.imatrix, "recipe": self.recipe.to_json()}


def mix_of(side: Side) -> Mix | None:
    """The mix that explains the file's types with the fewest rules; None for a checkpoint and where there is none."""
    if side.file is None:
        return None
    found = []
    without = {key: value for key, value in side.metadata.items() if not key.startswith(IMATRIX)}
    tensors = [(tensor.name, tensor.shape, tensor.dtype) for tensor in side.tensors]
    # a file without the keys may have been made with a matrix all the same
    for keys in (without, without | {f"{IMATRIX}file": text("")}):
        with suppress(InputError):
            recipe = cloned(keys, tensors, gguf_model(side.file).facts)
            found.append(Mix(recipe, len(keys) > len(without)))
    return min(found, key=lambda mix: (len(mix.recipe.overrides), mix.recipe.has_rules), default=None)
