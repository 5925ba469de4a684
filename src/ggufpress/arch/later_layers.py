"""Layers behind those of the model, which predict the tokens after the next (MTP, NextN)."""

from __future__ import annotations

import re

from ggufpress.arch.config import Config

LATER = re.compile(r"(?:model\.|language_model\.)*layers\.(\d+)\.")


def later_layers(config: Config, n_layer: int) -> tuple[int, ...]:
    """The numbers from `n_layer` on under which the checkpoint has layers."""
    found = {int(match[1]) for name in config.tensors if (match := LATER.match(name))}
    return tuple(sorted(number for number in found if number >= n_layer))


def n_later(config: Config, n_layer: int, *keys: str) -> int | None:
    """How many such layers the config speaks of, None where it has no such key, or the checkpoint none of them.

    llama.cpp's converter believes the config unless it is run with `--no-mtp`, which a checkpoint without them needs.
    """
    count = config.optional_integer(*keys or ("num_nextn_predict_layers",))
    return None if count and not later_layers(config, n_layer) else count
