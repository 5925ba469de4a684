"""Granite 3, dense, with sliding windows, and the language models of Granite Speech and Vision.

How the checkpoint differs from the GGUF layout: as Llama's does (q and k permuted per head, no output matrix where the
embeddings are tied); four factors of the config become keys. A head_dim in the config is not written.
Models with sliding windows have a sink per head; which layers have a window and which are rotated are keys. They alone may
have Llama 3's rope scaling, which becomes rope_freqs.weight.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/granite.py (GraniteModel, GraniteSWAModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Drop, Rule
from ggufpress.arch.windows import flags, sliding_layers
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, f32, u32

NAMES = {
    "GraniteForCausalLM": "granite",
    "GraniteSpeechForConditionalGeneration": "granite",
    "GraniteSpeechPlusForConditionalGeneration": "granite",
    "GraniteSWAForCausalLM": "granite_swa",
}
CLASSES = tuple(NAMES)
OTHER_PARTS = ("encoder.*", "layerwise_projectors.*", "spatial_projectors.*", "model.layerwise_projectors.*",
               "model.spatial_projectors.*")  # fmt: skip
FACTORS = (
    ("attention.scale", "attention_multiplier"),
    ("embedding_scale", "embedding_multiplier"),
    ("residual_scale", "residual_multiplier"),
    ("logit_scale", "logits_scaling"),
)

# transformers 4.57.6, models/granite/configuration_granite.py
CONFIG_CLASSES = {
    "granite": ConfigClass(MODERN | {
        "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": None, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
        "embedding_multiplier": 1.0, "logits_scaling": 1.0, "residual_multiplier": 1.0, "attention_multiplier": 1.0,
    }, renames_type=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Granite model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    if config.find("spatial_target_layers") or config.find("deepstack_layer_map"):
        raise UnsupportedError(
            f"{config.path}: Granite 4 Vision, whose vision layers feed several layers, cannot be converted yet"
        )
    factors = llama3_factors(config, s.head_dim)
    sinks = Rule(f"{BLK}.attn_sinks.weight", f"{LAYERS}.self_attn.sinks", (), (s.n_head,), False)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="llama",
        metadata=(*granite_metadata(config, s, name), *(windows(config, s) if name == "granite_swa" else ())),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s, permuted=True),
            *((sinks,) if name == "granite_swa" else ()),
            *feed_forward(s.n_embd, s.n_ff),
        ),
        drops=(
            *computed_frequencies(),
            *(Drop(part, "it belongs to the speech or vision part") for part in OTHER_PARTS),
        ),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
        prefixes=(("model.text_model.", "model."), ("text_model.", "")),
    )


def windows(config: Config, s: Sizes) -> list[tuple[str, Value]]:
    """The size of the window, which layers have it, and which are rotated."""
    keys = [
        (
            "granite_swa.attention.sliding_window",
            u32(config.with_defaults({"sliding_window": 128}).integer("sliding_window")),
        )
    ]
    every_fourth_not = tuple(i % 4 != 0 for i in range(s.n_layer))
    sliding = sliding_layers(config, s.n_layer, 0) if config.find("layer_types") else every_fourth_not
    keys.append(("granite_swa.attention.sliding_window_pattern", flags(sliding)))
    if rotated := config.find("no_rope_layers"):
        if not isinstance(rotated, list):
            raise config.wrong(("no_rope_layers",), "a list of numbers, 0 for layers without rotation")
        keys.append(("granite_swa.attention.rope_pattern", flags(tuple(bool(x) for x in rotated))))
    return keys


def granite_metadata(config: Config, s: Sizes, name: str) -> list[tuple[str, Value]]:
    """What all models of the family have. Raises UnsupportedError for rope scaling that llama.cpp does not know here."""
    if name != "granite_swa" and llama3_factors(config, s.head_dim):
        raise UnsupportedError(
            f"{config.path}: llama.cpp has no place for the rope scaling of Llama 3 in a Granite model"
        )
    return [
        *decoder_metadata(config.replace(head_dim=None), name),
        (f"{name}.vocab_size", u32(s.n_vocab)),
        (f"{name}.rope.dimension_count", u32(s.n_embd // s.n_head)),
        *((f"{name}.{key}", f32(value)) for key, source in FACTORS if (value := config.optional_number(source))),
    ]
