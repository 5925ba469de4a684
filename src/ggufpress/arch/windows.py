"""Sliding windows: their size, and which layers have one."""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.gguf.values import Value, ValueType, u32


def window_metadata(config: Config, arch: str, n_layer: int, period: int) -> list[tuple[str, Value]]:
    """The window's size and a flag per layer: as layer_types says, else all layers but every `period`-th."""
    return [
        (f"{arch}.attention.sliding_window", u32(config.integer("sliding_window"))),
        (f"{arch}.attention.sliding_window_pattern", flags(sliding_layers(config, n_layer, period))),
    ]


def sliding_layers(config: Config, n_layer: int, period: int) -> tuple[bool, ...]:
    """Which layers have a sliding window: as layer_types says, else all but every `period`-th (0: none)."""
    kinds = config.find("layer_types")
    if kinds is None:
        return tuple(period > 0 and (i + 1) % period != 0 for i in range(n_layer))
    if not isinstance(kinds, list) or len(kinds) != n_layer:
        raise config.wrong(("layer_types",), f"a list of {n_layer} kinds of attention")
    return tuple(kind == "sliding_attention" for kind in kinds)


def flags(values: tuple[bool, ...]) -> Value:
    """An array of booleans."""
    return Value(ValueType.ARRAY, values, ValueType.BOOL)
