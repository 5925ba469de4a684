"""Gemma 3n and the language model of its multimodal checkpoints.

How the checkpoint differs from the GGUF layout:

1. Norms are stored as they are used, unlike Gemma 3's.
2. Both embeddings get zero rows for tokens that they lack: those of images and sounds.
3. AltUp's three projections are stacked, and so are the three that undo them.
4. The feed-forward may be of another size in each layer.
5. How sparse a layer's activations are is a quantile: GGUF has its place in a normal distribution.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/gemma.py (Gemma3NModel).
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, lacks_rope_keys, read_through_class
from ggufpress.arch.decoder import block_count
from ggufpress.arch.experts import in_layers
from ggufpress.arch.families.gemma3 import NORMS, metadata
from ggufpress.arch.gather import PadRows
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, feed_forward, head_norms, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import flags
from ggufpress.gguf.values import Value, ValueType, array, u32

CLASSES = ("Gemma3nForCausalLM", "Gemma3nForConditionalGeneration")
NAME = "gemma3n"
N_ALTUP = 4


def _derives(config: Config) -> Config:
    """Lists with an entry per layer, where config.json has none."""
    n_layer, n_ff = block_count(config), config.find("intermediate_size")
    found: dict[str, Any] = {"intermediate_size": n_ff if isinstance(n_ff, list) else [n_ff] * n_layer}
    if config.find("layer_types") is None:
        kinds = ["full_attention" if (i + 1) % 5 == 0 else "sliding_attention" for i in range(n_layer)]
        found["layer_types"] = kinds
    if config.find("activation_sparsity_pattern") is None:
        n_sparse = 10 if n_layer > 10 else 0
        found["activation_sparsity_pattern"] = [0.95] * n_sparse + [0.0] * (n_layer - n_sparse)
    return config.replace(**found)


def _refuses(config: Config) -> bool:
    """Whether the class does not take `config`: lists of another length than the model."""
    lists = (config.find(key) for key in ("intermediate_size", "layer_types", "activation_sparsity_pattern"))
    return lacks_rope_keys(config) or any(isinstance(x, list) and len(x) != block_count(config) for x in lists)


# transformers 4.57.6, models/gemma3n/configuration_gemma3n.py
CONFIG_CLASSES = {
    "gemma3n_text": ConfigClass({
        "vocab_size": 262400, "vocab_size_per_layer_input": 262144, "hidden_size": 2048,
        "hidden_size_per_layer_input": 256, "intermediate_size": 16384, "num_hidden_layers": 35,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 256, "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": None,
        "sliding_window": 512, "layer_types": None, "final_logit_softcapping": 30.0, "altup_active_idx": 0,
        "altup_num_inputs": 4, "num_kv_shared_layers": 15, "laurel_rank": 64, "activation_sparsity_pattern": None,
    }, refuses=_refuses, fills_kv_heads=False, derives=_derives),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Gemma 3n model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    if config.integer("altup_num_inputs") != N_ALTUP:
        raise config.wrong(("altup_num_inputs",), f"{N_ALTUP}, as llama.cpp knows no other,")
    n_ff = _per_layer(config, "intermediate_size", int)
    plain = config.replace(intermediate_size=n_ff[0])
    s = sizes(plain)
    first_shared = max(0, s.n_layer - config.integer("num_kv_shared_layers"))
    rank, n_small = config.positive("laurel_rank"), config.positive("hidden_size_per_layer_input")
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="gemma3",
        metadata=tuple(_metadata(config, plain, n_ff, s.n_layer).items()),
        rules=(
            Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd), gather=PadRows(s.n_vocab)),
            *linear("output_norm", "model.norm", (s.n_embd,)),
            *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
            *per_layer_inputs(s, n_small, gather=PadRows(s.n_vocab)),
            *(Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{hf}.weight", shape=(s.n_embd,)) for target, hf in NORMS.items()),
            *_attention(s, first_shared),
            *(rule for i, size in enumerate(n_ff) for rule in in_layers([i], *feed_forward(s.n_embd, size))),
            *_altup(s.n_embd),
            *linear(f"{BLK}.laurel_l", f"{LAYERS}.laurel.linear_left", (rank, s.n_embd)),
            *linear(f"{BLK}.laurel_r", f"{LAYERS}.laurel.linear_right", (s.n_embd, rank)),
            *linear(f"{BLK}.laurel_post_norm", f"{LAYERS}.laurel.post_laurel_norm", (s.n_embd,)),
        ),
    )  # fmt: skip


def per_layer_inputs(s: Sizes, n_small: int, *, gather: PadRows | None = None) -> tuple[Rule, ...]:
    """The second embedding, whose rows hold `n_small` numbers for each layer, and what mixes them in."""
    rows = s.n_layer * n_small
    embedding = Rule("per_layer_token_embd.weight", "model.embed_tokens_per_layer.weight", gather=gather)
    return (
        replace(embedding, shape=(s.n_vocab, rows)) if gather else embedding,
        *linear("per_layer_model_proj", "model.per_layer_model_projection", (rows, s.n_embd)),
        *linear("per_layer_proj_norm", "model.per_layer_projection_norm", (n_small,)),
        *linear(f"{BLK}.inp_gate", f"{LAYERS}.per_layer_input_gate", (n_small, s.n_embd)),
        *linear(f"{BLK}.proj", f"{LAYERS}.per_layer_projection", (s.n_embd, n_small)),
        *linear(f"{BLK}.post_norm", f"{LAYERS}.post_per_layer_input_norm", (s.n_embd,)),
    )


def _attention(s: Sizes, first_shared: int) -> tuple[Rule, ...]:
    """Attention. The last layers use keys and values of layers before them, but checkpoints have theirs as well."""
    rules = (*attention(s), *head_norms(s))
    queries = ("attn_q.weight", "attn_output.weight", "attn_q_norm.weight")
    return (
        *in_layers(range(first_shared), *rules),
        *(
            replace(rule, layers=range(first_shared, s.n_layer), required=rule.target.endswith(queries))
            for rule in rules
        ),
    )


def _altup(n_embd: int) -> tuple[Rule, ...]:
    hf, square = f"{LAYERS}.altup", (N_ALTUP - 1, n_embd, n_embd)
    return (
        Rule("altup_proj.weight", "model.altup_projections.{e}.weight", shape=square, stack=N_ALTUP - 1),
        Rule("altup_unembd_proj.weight", "model.altup_unembed_projections.{e}.weight", shape=square, stack=N_ALTUP - 1),
        *linear(f"{BLK}.altup_correct_coef", f"{hf}.correction_coefs", (N_ALTUP, N_ALTUP)),
        *linear(f"{BLK}.altup_predict_coef", f"{hf}.prediction_coefs", (N_ALTUP**2, N_ALTUP)),
        *linear(f"{BLK}.altup_router", f"{hf}.modality_router", (N_ALTUP, n_embd)),
        *linear(f"{BLK}.altup_router_norm", f"{hf}.router_norm", (n_embd,)),
        Rule(f"{BLK}.altup_correct_scale.weight", f"{hf}.correct_output_scale", shape=(n_embd,)),
    )


def _metadata(config: Config, plain: Config, n_ff: list[Any], n_layer: int) -> dict[str, Value]:
    keys = dict(metadata(plain, NAME))
    if isinstance(config.find("intermediate_size"), list):
        keys[f"{NAME}.feed_forward_length"] = array(ValueType.INT32, n_ff)
    keys[f"{NAME}.altup.active_idx"] = u32(config.integer("altup_active_idx"))
    keys[f"{NAME}.altup.num_inputs"] = u32(config.integer("altup_num_inputs"))
    keys[f"{NAME}.embedding_length_per_layer_input"] = u32(config.integer("hidden_size_per_layer_input"))
    keys[f"{NAME}.attention.shared_kv_layers"] = u32(config.integer("num_kv_shared_layers"))
    sparsity = _per_layer(config, "activation_sparsity_pattern", float)
    keys[f"{NAME}.activation_sparsity_scale"] = array(ValueType.FLOAT32, map(normal_quantile, sparsity))
    kinds = config.find("layer_types")
    if not isinstance(kinds, list) or len(kinds) != n_layer:
        raise config.wrong(("layer_types",), f"a list of {n_layer} kinds of attention")
    keys[f"{NAME}.attention.sliding_window_pattern"] = flags(tuple(kind == "sliding_attention" for kind in kinds))
    return keys


def _per_layer(config: Config, key: str, kind: type) -> list[Any]:
    """A number for each layer, from a list or from one number for all. Raises ConfigError for anything else."""
    n_layer, values = block_count(config), config.find(key)
    values = values if isinstance(values, list) else [values] * n_layer
    whole = kind is int
    if len(values) != n_layer or not all(
        type(x) in (int, kind) and (0 < x < 1 << 31 if whole else 0 <= x <= 1) for x in values
    ):
        raise config.wrong((key,), f"{n_layer} {'positive integers' if whole else 'numbers from 0 to 1'}")
    return values


def normal_quantile(share: float) -> float:
    """The value that this share of a normal distribution is below, in float32 as torch computes it: -inf for 0."""
    y = np.float32(2) * np.float32(share) - np.float32(1)
    if abs(y) >= 1:
        return math.copysign(math.inf, y)
    inverse = NormalDist().inv_cdf((float(y) + 1) / 2) / math.sqrt(2)
    return float(np.float32(inverse) * np.float32(math.sqrt(2)))
