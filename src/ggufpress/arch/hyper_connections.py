"""Hyper-connections: several residual streams, mixed before and behind each half of a layer.

Source of the target names: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/constants.py.
"""

from __future__ import annotations

from ggufpress.arch.layers import BLK
from ggufpress.arch.spec import Rule


def hyper_connections(
    n_stream: int, n_embd: int, n_row: int, n_scale: int, attn: str, ffn: str, required: bool = True
) -> tuple[Rule, ...]:
    """The mixing matrix, its base and its scales, of attention and of the feed-forward. They stay F32.

    `attn` and `ffn` are where they stand: the names end with fn, base and scale.
    """
    shapes = {"fn": (n_row, n_stream * n_embd), "base": (n_row,), "scale": (n_scale,)}
    return tuple(
        Rule(f"{BLK}.hc_{half}_{part}.weight", f"{source}{part}", (), shape, required, as_f32=True)
        for half, source in (("attn", attn), ("ffn", ffn))
        for part, shape in shapes.items()
    )
