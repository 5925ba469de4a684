"""What decoder-only families share: the metadata keys that follow from the config alone.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`TextModel.set_gguf_parameters`), gguf-py/gguf/constants.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.rope import rope_metadata
from ggufpress.gguf.values import Value, f32, flag, u32

FILE_TYPE = "general.file_type"

# GGUF key after "{arch}.", and where the config may hold it; a key that is absent or null is not written
SIZES = (
    ("context_length", ("max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length",
                        "model_max_length")),
    ("embedding_length", ("hidden_size", "n_embd", "dim")),
    ("feed_forward_length", ("prefix_dense_intermediate_size", "dense_intermediate_size", "intermediate_size", "n_inner",
                             "hidden_dim")),
    ("attention.head_count", ("num_attention_heads", "n_head", "n_heads")),
    ("attention.head_count_kv", ("num_key_value_heads", "n_kv_heads")),
)  # fmt: skip
EPSILONS = (
    ("attention.layer_norm_rms_epsilon", ("rms_norm_eps", "norm_eps")),
    ("attention.layer_norm_epsilon", ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")),
)
EXPERTS = (
    ("expert_count", ("num_local_experts", "num_experts", "n_routed_experts")),
    ("expert_used_count", ("num_experts_per_tok", "num_experts_per_token", "top_k_experts")),
    ("expert_group_count", ("n_group",)),
    ("expert_group_used_count", ("topk_group",)),
)
GATING_KEYS = (
    "score_function", "scoring_func", "score_func", "moe_router_activation", "moe_router_activation_func",
    "expert_selection_fn",
)  # fmt: skip
MAX_LAYERS = 1 << 12
"""More than any model has; a broken config must not make us list flags and names without end."""
LAYER_KEYS = ("n_layers", "num_hidden_layers", "n_layer", "num_layers")
GATING = {"softmax": 1, "sigmoid": 2, "sqrtsoftplus": 4}


def block_count(config: Config) -> int:
    """The number of layers. Raises ConfigError where there are none, or more than any model has."""
    count = config.positive(*LAYER_KEYS)
    if count > MAX_LAYERS:
        raise config.wrong(LAYER_KEYS, f"at most {MAX_LAYERS}")
    return count


def decoder_metadata(config: Config, arch: str) -> list[tuple[str, Value]]:
    """The keys that the reference writes for every text model, in file order, ending with `general.file_type`."""
    keys: list[tuple[str, Value]] = [(f"{arch}.block_count", u32(block_count(config)))]
    keys += integers(config, arch, SIZES)
    if config.find("is_causal") is False:
        keys.append((f"{arch}.attention.causal", flag(False)))
    keys += rope_metadata(config, arch)
    for name, aliases in EPSILONS:
        if (epsilon := config.optional_number(*aliases)) is not None:
            keys.append((f"{arch}.{name}", f32(epsilon)))
    keys += integers(config, arch, EXPERTS)
    if (gating := config.optional_text(*GATING_KEYS)) is not None:
        if gating not in GATING:
            raise config.wrong(GATING_KEYS, f"one of {', '.join(GATING)}")
        keys.append((f"{arch}.expert_gating_func", u32(GATING[gating])))
    if (head_dim := config.optional_integer("head_dim")) is not None:
        keys += [(f"{arch}.attention.key_length", u32(head_dim)), (f"{arch}.attention.value_length", u32(head_dim))]
    keys.append((FILE_TYPE, u32(0)))
    return keys


def integers(config: Config, arch: str, table: tuple[tuple[str, tuple[str, ...]], ...]) -> list[tuple[str, Value]]:
    """The keys of `table` (GGUF key, where the config may hold it) whose values the config has."""
    found = ((name, config.optional_integer(*aliases)) for name, aliases in table)
    return [(f"{arch}.{name}", u32(value)) for name, value in found if value is not None]


def needed(config: Config, arch: str, *table: tuple[str, str]) -> list[tuple[str, Value]]:
    """The keys of `table` (GGUF key, key of the config) as integers. Raises ConfigError where one is missing."""
    return [(f"{arch}.{name}", u32(config.integer(source))) for name, source in table]
