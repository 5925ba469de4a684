"""A model with other keys and fewer layers, as llama-quantize's `--override-kv` and `--prune-layers` make it."""

from __future__ import annotations

import re
from dataclasses import replace

from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.errors import UsageError
from ggufpress.gguf.values import ValueType
from ggufpress.planning.container import Container
from ggufpress.planning.model import Model

LAYER = re.compile(r"blk\.([0-9]+)\.")


def changed(model: Model, wanted: Container) -> Model:
    """`model` with what `wanted` asks of it. Raises UsageError where a layer does not exist or none would stay."""
    if wanted.overrides:
        said = [value for key, value in wanted.overrides if key == FILE_TYPE and value.type is ValueType.UINT32]
        file_type = int(said[-1].data) if said else model.file_type  # type: ignore[arg-type]
        model = replace(model, overrides=wanted.overrides, file_type=file_type)
    return _pruned(model, wanted.pruned) if wanted.pruned else model


def _pruned(model: Model, layers: tuple[int, ...]) -> Model:
    found = {tensor.name: LAYER.search(tensor.name) for tensor in model.tensors}
    if odd := next((name for name, match in found.items() if match and match.start() > 0), None):
        raise UsageError(f"--prune-layers: {odd} is not called blk.N., and such layers would get the wrong numbers")
    existing = sorted({int(match[1]) for match in found.values() if match})
    if missing := [layer for layer in layers if layer not in existing]:
        raise UsageError(f"--prune-layers: there is no layer {missing[0]}: they are {_range(existing)}")
    kept = [layer for layer in existing if layer not in layers]
    if not kept:
        raise UsageError("--prune-layers: no layer would stay")
    # what comes before the first pruned layer keeps its number
    numbers = {layer: layer for layer in kept if layer < layers[0]}
    start = max(numbers, default=-1) + 1
    numbers |= {layer: start + i for i, layer in enumerate(layer for layer in kept if layer > layers[0])}
    tensors, origins = [], {}
    for tensor in model.tensors:
        match = found[tensor.name]
        if match is None:
            tensors.append(tensor)
        elif int(match[1]) in numbers:
            name = f"blk.{numbers[int(match[1])]}.{tensor.name[match.end() :]}"
            origins[name] = tensor.name
            tensors.append(replace(tensor, name=name))
    listed = ", ".join(map(str, layers))
    notes = (f"layers left out: {listed}; {len(kept)} stay", *_per_layer(model, len(existing)))
    return replace(
        model,
        tensors=tuple(tensors),
        layers_left=max(numbers.values()) + 1,
        origins=origins,
        notes=(*model.notes, *notes),
    )


def _per_layer(model: Model, n_layer: int) -> list[str]:
    """A note where keys have a value for each layer: llama-quantize leaves those of the pruned ones in."""
    keys = [
        key
        for key, value in model.metadata.items()
        if key.startswith(f"{model.arch}.") and isinstance(value.data, tuple) and len(value.data) == n_layer
    ]
    return (
        [f"{', '.join(keys)} still has a value for each of the {n_layer} layers, as llama-quantize leaves it"]
        if keys
        else []
    )


def _range(layers: list[int]) -> str:
    if layers and layers == list(range(layers[0], layers[-1] + 1)):
        return f"{layers[0]} to {layers[-1]}"
    return ", ".join(map(str, layers)) or "none"
