"""What llama-quantize's rules ask about a model, read from its keys and the names of its tensors."""

from __future__ import annotations

from collections.abc import Iterable

from ggufpress.gguf.values import Metadata
from ggufpress.recipe.mixture import ModelFacts

LAYERS_OF_70B = {"llama": 80, "qwen2": 80, "deci": 80, "olmo": 80, "jais2": 68}
"""Number of layers that llama.cpp calls a 70B model, by architecture (src/models/*.cpp)."""


def facts_of(metadata: Metadata, names: Iterable[str]) -> ModelFacts:
    """What the recipe's rules ask, from a model's keys and the names of its tensors."""
    arch = str(metadata["general.architecture"].data)

    def number(name: str) -> int:
        value = metadata.get(f"{arch}.{name}")
        data = value.data if value else 0
        # a key with one number per layer counts by its first
        return int(data[0] if isinstance(data, tuple) else data)

    # models that go through their layers several times count them as often (src/models/nanbeige.cpp)
    n_layer, n_expert = number("block_count") * max(number("num_loops"), 1), number("expert_count")
    # and the layer of the switch counts, which has no tensors (src/models/granite-switch.cpp)
    n_layer += arch == "graniteswitch"
    n_head, n_head_kv = number("attention.head_count"), number("attention.head_count_kv")
    return ModelFacts(
        arch=arch,
        n_layer=n_layer,
        n_expert=n_expert,
        n_gqa=n_head // n_head_kv if n_head_kv else 0,
        is_70b=n_layer == LAYERS_OF_70B.get(arch) and (arch != "llama" or (n_head != n_head_kv and n_expert != 8)),
        tied="output.weight" not in names,
    )
