"""K-EXAONE: EXAONE 4 with experts.

How the checkpoint differs from the GGUF layout:

1. Norms stand before attention and feed-forward, as in Llama, and for the queries and keys of a head.
2. The first layers are dense (first_k_dense_replace); in the others, experts are stacked and shared experts are one.
3. Layers that predict further tokens are called mtp.layers.N and become those behind the model's; mtp.fc and the norms
   around it are shared: each such layer gets them. They are dense. The config alone says how many there are.
4. Sliding windows are as layer_types says, else as the letters or the number of sliding_window_pattern.
5. No rope scaling is written, whatever the config says; Llama 3's becomes rope_freqs.weight.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/exaone.py (Exaone4Model, ExaoneMoEModel).
transformers 4.57.6 has no class for model_type exaone_moe: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import deepseek_experts, in_layers
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, norms, sizes
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.arch.windows import flags, sliding_layers
from ggufpress.gguf.values import Value, f32, flag, text, u32

CLASSES = ("ExaoneMoEForCausalLM", "ExaoneMoeForCausalLM")
NAME = "exaone-moe"
SHARED = {
    "eh_proj": "fc", "enorm": "pre_fc_norm_embedding", "hnorm": "pre_fc_norm_hidden", "shared_head_norm": "norm",
}  # fmt: skip


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an EXAONE model with experts. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    later = config.optional_integer("num_nextn_predict_layers") or 0
    n_layer, n_expert = s.n_layer + later, config.positive("num_local_experts", "num_experts")
    dense = config.find("first_k_dense_replace", "first_last_k_dense_replace")
    n_dense = 0 if dense is None else config.integer("first_k_dense_replace", "first_last_k_dense_replace")
    stored = any(name.startswith("mtp.") for name in config.tensors)
    factors = llama3_factors(config, s.head_dim, default_factor=16.0)
    sparse = deepseek_experts(config, s, n_expert, "num_shared_experts")
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, s, later, n_dense).items()),
        rules=(
            *ends(s),
            *in_layers(range(s.n_layer), *norms(s), *attention(s), *head_norms(s)),
            *in_layers(range(min(n_dense, s.n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, s.n_layer), *sparse),
            *(rule for number in range(later if stored else 0) for rule in _later(s, number)),
        ),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
    )


def _metadata(config: Config, s: Sizes, later: int, n_dense: int) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, NAME))
    keys[f"{NAME}.block_count"] = u32(s.n_layer + later)
    keys[f"{NAME}.vocab_size"] = u32(s.n_vocab)
    if config.find("sliding_window") is not None:
        keys[f"{NAME}.attention.sliding_window"] = u32(config.integer("sliding_window"))
        if (pattern := _pattern(config, s.n_layer)) is not None:
            keys[f"{NAME}.attention.sliding_window_pattern"] = flags(pattern)
    keys |= needed(
        config,
        NAME,
        ("expert_feed_forward_length", "moe_intermediate_size"),
        ("expert_shared_count", "num_shared_experts"),
    )
    width = config.integer("moe_intermediate_size") * config.integer("num_shared_experts")
    keys[f"{NAME}.expert_shared_feed_forward_length"] = u32(width)
    keys[f"{NAME}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    keys[f"{NAME}.expert_weights_norm"] = flag(config.flag("norm_topk_prob", default=False))
    keys[f"{NAME}.leading_dense_block_count"] = u32(n_dense)
    keys[f"{NAME}.nextn_predict_layers"] = u32(later)
    keys[f"{NAME}.rope.scaling.type"] = text("none")
    return keys


def _pattern(config: Config, n_layer: int) -> tuple[bool, ...] | None:
    pattern = config.find("sliding_window_pattern")
    if config.find("layer_types") is not None:
        return sliding_layers(config, n_layer, 0)
    if isinstance(pattern, str) and pattern:
        return tuple(pattern[i % len(pattern)] == "L" for i in range(n_layer))
    return None if pattern is None else sliding_layers(config, n_layer, config.positive("sliding_window_pattern"))


def _later(s: Sizes, number: int) -> tuple[Rule, ...]:
    """A layer that predicts further tokens (3)."""
    layer, hf = s.n_layer + number, f"mtp.layers.{number}"
    own = tuple(
        replace(rule, target=rule.target.replace(BLK, f"blk.{layer}"), source=rule.source.replace(LAYERS, hf))
        for rule in (*norms(s), *attention(s), *head_norms(s), *feed_forward(s.n_embd, s.n_ff))
    )
    shared = tuple(
        Rule(f"blk.{layer}.nextn.{target}.weight", f"mtp.{source}.weight",
             shape=(s.n_embd, 2 * s.n_embd) if target == "eh_proj" else (s.n_embd,))
        for target, source in SHARED.items()
    )  # fmt: skip
    return own + shared
