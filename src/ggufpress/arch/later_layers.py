"""Layers behind those of the model, which predict the tokens after the next (MTP, NextN).

Source of the names: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/tensor_mapping.py.
"""

from __future__ import annotations

import re

from ggufpress.arch.config import Config
from ggufpress.arch.experts import in_layers
from ggufpress.arch.layers import BLK, LAYERS, Sizes, linear
from ggufpress.arch.spec import Rule

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


def prediction(s: Sizes, layers: range, hf: str = LAYERS) -> tuple[Rule, ...]:
    """What these layers have besides a usual layer; some share embedding, last norm and output matrix with the model."""
    nextn = f"{BLK}.nextn"
    return in_layers(
        layers,
        *linear(f"{nextn}.eh_proj", f"{hf}.eh_proj", (s.n_embd, 2 * s.n_embd)),
        *linear(f"{nextn}.enorm", f"{hf}.enorm", (s.n_embd,)),
        *linear(f"{nextn}.hnorm", f"{hf}.hnorm", (s.n_embd,)),
        Rule(f"{nextn}.embed_tokens.weight", f"{hf}.embed_tokens.weight", (), (s.n_vocab, s.n_embd), False),
        Rule(f"{nextn}.shared_head_head.weight", f"{hf}.shared_head.head.weight", (), (s.n_vocab, s.n_embd), False),
        *linear(f"{nextn}.shared_head_norm", f"{hf}.shared_head.norm", (s.n_embd,), required=False),
    )
