"""A recipe derived from a GGUF file, so that its mix can be given to another model of the same shape.

The preset is the one the file names. Where that alone does not explain every type, rules are added until it does; layers
that share a type share a rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import prod

from ggufpress.arch.ops import Shape
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Metadata
from ggufpress.quant.types import BF16, F32, QType
from ggufpress.recipe.choose import choose_types
from ggufpress.recipe.mixture import ModelFacts
from ggufpress.recipe.names import quantizable
from ggufpress.recipe.presets import ALL, Preset
from ggufpress.recipe.recipe import MADE, Override, Recipe

Tensor = tuple[str, Shape, QType]

GUESSED = 1024
"""Flag in general.file_type that its writer was not sure (TREE include/llama.h, `LLAMA_FTYPE_GUESSED`)."""


def cloned(metadata: Metadata, tensors: Sequence[Tensor], model: ModelFacts) -> Recipe:
    """The recipe with the fewest rules that gives every one of `tensors` the type it has. It can be read and changed.

    `model` are the facts for the mix. Raises UnsupportedError where a tensor has a type that cannot be made.
    """
    changing = {name: qtype for name, shape, qtype in tensors if quantizable(name, shape, model.arch)}
    for name, qtype in changing.items():
        if qtype not in MADE:
            raise UnsupportedError(f"{name} is {qtype}, which cannot be made")
    preset = _preset(metadata, tensors, changing)
    plain = Recipe(preset)
    if not preset.qtype.quantized:
        return plain if set(changing.values()) <= {preset.qtype} else _mixed_floats(tensors, changing, model)
    facts = replace(model, imatrix=any(key.startswith("quantize.imatrix.") for key in metadata))
    candidates = [
        _completed(start, tensors, changing, facts)
        for start in (_with_ends(plain, tensors, changing, facts), replace(plain, pure=True))
    ]
    return min(candidates, key=lambda recipe: (len(recipe.overrides), recipe.pure))


def spelled_out(recipe: Recipe, tensors: Sequence[Tensor], model: ModelFacts) -> Recipe:
    """A recipe without a mix that gives each of `tensors` the type it has here: `recipe`, resolved for one model."""
    changing = {
        name: qtype
        for name, shape, qtype in tensors
        if quantizable(name, shape, model.arch, leave_output=recipe.leave_output_tensor)
    }
    start = replace(recipe, pure=True, overrides=(), token_embedding_type=None, output_tensor_type=None)
    return _completed(start, tensors, changing, model) if recipe.preset.qtype.quantized else recipe


def _preset(metadata: Metadata, tensors: Sequence[Tensor], changing: Mapping[str, QType]) -> Preset:
    """The preset that the file names, or else the one whose own type most weights have."""
    stated = metadata.get("general.file_type")
    number = stated.data & ~GUESSED if stated and isinstance(stated.data, int) else -1
    if preset := next((preset for preset in ALL if preset.ftype == number), None):
        return preset
    weights: dict[QType, int] = {}
    for name, shape, qtype in tensors:
        if name in changing:
            weights[qtype] = weights.get(qtype, 0) + prod(shape)
    common = max(weights, key=lambda qtype: weights[qtype]) if weights else F32
    return next((preset for preset in ALL if preset.qtype is common), next(p for p in ALL if p.name == "Q8_0"))


def _mixed_floats(tensors: Sequence[Tensor], changing: Mapping[str, QType], model: ModelFacts) -> Recipe:
    """Rules have no effect in float files, so a file that names a float and holds blocks starts from a quantized preset."""
    common = max(set(changing.values()), key=lambda qtype: (qtype.quantized, list(changing.values()).count(qtype)))
    preset = next((p for p in ALL if p.qtype is common and p.qtype.quantized), next(p for p in ALL if p.name == "Q8_0"))
    return _completed(Recipe(preset, pure=True), tensors, changing, model)


def _with_ends(recipe: Recipe, tensors: Sequence[Tensor], changing: Mapping[str, QType], model: ModelFacts) -> Recipe:
    """The recipe with the types of both ends spelled out where the mix would give others."""
    keys = {"token_embd.weight": "token_embedding_type", "output.weight": "output_tensor_type"}
    ends = [(name, shape, BF16) for name, shape, _ in tensors if name in keys and name in changing]
    chosen = choose_types(ends, _lenient(recipe), model)
    for name, key in keys.items():
        if name in chosen and chosen[name].qtype is not changing[name]:
            recipe = replace(recipe, **{key: changing[name]})  # type: ignore[arg-type]
    return recipe


def _lenient(recipe: Recipe) -> Recipe:
    return replace(recipe, on_missing="unweighted")


def _completed(start: Recipe, tensors: Sequence[Tensor], changing: Mapping[str, QType], model: ModelFacts) -> Recipe:
    """`start` with the rules that it lacks. A rule changes what the mix counts, so that others may be needed."""
    sources = [(name, shape, BF16 if name in changing else qtype) for name, shape, qtype in tensors]
    ruled: set[str] = set()
    while True:
        recipe = replace(
            start, overrides=tuple(_rules({name: changing[name] for name in changing if name in ruled}, changing))
        )
        chosen = choose_types(sources, _lenient(recipe), model)
        wrong = {name for name, qtype in changing.items() if chosen[name].qtype is not qtype}
        if not wrong:
            return recipe
        if wrong <= ruled:
            raise UnsupportedError(
                f"no rule can tell {min(wrong)} from other tensors: llama-quantize knows no capitals"
            )
        ruled |= wrong


def _rules(ruled: Mapping[str, QType], names: Iterable[str]) -> Iterator[Override]:
    """One rule for each type and name without its layer; tensors of no layer have their own."""
    by_stem: dict[str, dict[int, QType]] = {}
    for name, qtype in ruled.items():
        if found := re.fullmatch(r"blk\.(\d{1,9})\.(.+)", name):
            by_stem.setdefault(found[2], {})[int(found[1])] = qtype
        else:
            yield Override(f"^{_escaped(name)}$", qtype)
    all_layers: dict[str, set[int]] = {}
    for name in names:
        if found := re.fullmatch(r"blk\.(\d{1,9})\.(.+)", name):
            all_layers.setdefault(found[2], set()).add(int(found[1]))
    for stem, types in by_stem.items():
        for qtype in sorted(set(types.values()), key=lambda qtype: -qtype.bpw):
            layers = sorted(layer for layer, own in types.items() if own is qtype)
            which = r"\d+" if set(layers) == all_layers[stem] else _numbers(layers)
            yield Override(rf"^blk\.{which}\.{_escaped(stem)}$", qtype)


def _escaped(text: str) -> str:
    # patterns are turned into lower case
    return re.sub(r"[A-Z]", ".", re.sub(r"([^\w-])", r"\\\1", text, flags=re.ASCII))


def _numbers(layers: Sequence[int]) -> str:
    """A pattern for these numbers and no others: (0|1|1[02-5]|9)."""
    parts = []
    for _, group in groupby(layers, key=lambda layer: layer // 10):
        tens = list(group)
        lead = str(tens[0] // 10) if tens[0] >= 10 else ""
        digits = [layer % 10 for layer in tens]
        parts.append(lead + (str(digits[0]) if len(digits) == 1 else f"[{_runs(digits)}]"))
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"


def _runs(digits: Sequence[int]) -> str:
    text = ""
    start = previous = digits[0]
    for digit in (*digits[1:], 99):
        if digit != previous + 1:
            text += (
                str(start)
                if start == previous
                else f"{start}-{previous}"
                if previous > start + 1
                else f"{start}{previous}"
            )
            start = digit
        previous = digit
    return text
