"""Nemotron and Minitron.

How the checkpoint differs from the GGUF layout:

1. Norms have biases, and their weights are stored as the difference from 1. The feed-forward has no gate.
2. The first part of each head is rotated: partial_rotary_factor.
3. The kind of rope scaling is always written: none without a factor, else linear.
4. Whatever the tokenizer files say, padding is token 0 and unknown text token 1.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/nemotron.py (NemotronModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import LAYERS, attention, ends, norms, plain_feed_forward, sizes
from ggufpress.arch.ops import Add
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, text, u32

CLASSES = ("NemotronForCausalLM",)
EPSILONS = ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps")

# transformers 4.57.6, models/nemotron/configuration_nemotron.py
CONFIG_CLASSES = {
    "nemotron": ConfigClass({
        "vocab_size": 256000, "hidden_size": 6144, "intermediate_size": 24576, "num_hidden_layers": 32,
        "num_attention_heads": 48, "num_key_value_heads": None, "max_position_embeddings": 4096, "norm_eps": 1e-5,
        "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
    }, renames_type=False, fills_kv_heads=False, fills_head_dim=True),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Nemotron model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    rotated = config.number("partial_rotary_factor", "rope_pct", "rope_percent")
    factor = config.optional_number("factor") or rope_parameters(config).optional_number("factor")
    metadata = [
        *decoder_metadata(config, "nemotron"),
        ("nemotron.vocab_size", u32(s.n_vocab)),
        ("nemotron.attention.layer_norm_epsilon", f32(config.number(*EPSILONS))),
        ("nemotron.rope.dimension_count", u32(int(rotated * s.n_embd) // s.n_head)),
        ("nemotron.rope.scaling.type", text("none" if factor is None else "linear")),
    ]
    if factor is not None:
        metadata.append(("nemotron.rope.scaling.factor", f32(factor)))
    rules = (*ends(s), *norms(s), *attention(s), *plain_feed_forward(s, f"{LAYERS}.mlp", "up_proj", "down_proj"))
    return Arch(
        name="nemotron",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="spm",
        metadata=tuple(metadata),
        rules=tuple(
            Rule(rule.target, rule.source, (Add(1),), rule.shape, rule.required)
            if rule.target.endswith("_norm.weight")
            else rule
            for rule in rules
        ),
        vocab_keys=(("tokenizer.ggml.padding_token_id", u32(0)), ("tokenizer.ggml.unknown_token_id", u32(1))),
    )
