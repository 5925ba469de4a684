"""What encoders share: labels of a classifier, positions behind padding, and tensors that are not used.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/bert.py; the config classes of transformers 4.57.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, takes_any_rope
from ggufpress.arch.decoder import block_count, decoder_metadata
from ggufpress.arch.gather import SkipRows
from ggufpress.arch.layers import BLK, linear
from ggufpress.arch.spec import Drop, Rule
from ggufpress.gguf.values import Value, ValueType, array, flag

BERT_DEFAULTS: dict[str, Any] = {
    "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
    "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}  # fmt: skip
"""Source: transformers 4.57.6, models/bert/configuration_bert.py."""

OLD_NORM_NAMES = ((".gamma", ".weight"), (".beta", ".bias"))
"""What norms are called in checkpoints that come from TensorFlow."""

MAX_LABELS = 1 << 20
"""More than any classifier has; a broken config must not make us list names without end."""

PRE_TRAINING = "the head of pre-training"
UNUSED_HEADS = (
    Drop("embeddings.position_ids", "positions count from 0"),
    Drop("pooler.dense.*", "llama.cpp pools without it"),
    Drop("cls.predictions.*", PRE_TRAINING),
    Drop("cls.seq_relationship.*", PRE_TRAINING),
)


def encoder_class(defaults: Mapping[str, Any]) -> ConfigClass:
    """How a config class of an encoder reads: defaults, and nothing about rotary embeddings or key/value heads."""
    return ConfigClass(defaults, refuses=takes_any_rope, renames_type=False, fills_kv_heads=False)


def output_labels(config: Config, *, known: bool) -> tuple[str, ...]:
    """The names of the classifier's outputs in order, none where the config names none.

    `known`: transformers has a class for this config, so a config without labels has two, LABEL_0 and LABEL_1.
    """
    stated = config.find("id2label")
    if stated is None and known:
        count = config.optional_integer("num_labels")
        if count is not None and count > MAX_LABELS:
            raise config.wrong(("num_labels",), f"at most {MAX_LABELS}")
        stated = {str(i): f"LABEL_{i}" for i in range(2 if count is None else count)}
    if stated is None:
        return ()
    if not isinstance(stated, dict) or not all(isinstance(label, str) for label in stated.values()):
        raise config.wrong(("id2label",), "an object of names by number")
    try:
        # a config that no class reads keeps its keys as text, and is sorted so
        ordered = sorted((int(key), label) if known else (key, label) for key, label in stated.items())
    except ValueError:
        raise config.wrong(("id2label",), "an object of names by number") from None
    return tuple(label for _, label in ordered)


def are_dummies(labels: tuple[str, ...]) -> bool:
    """Whether these are the two labels that transformers gives every config."""
    return len(labels) == 2 and labels[0] == "LABEL_0"


def label_keys(arch: str, labels: tuple[str, ...]) -> tuple[tuple[str, Value], ...]:
    """The key that holds the labels, where there are any."""
    return ((f"{arch}.classifier.output_labels", array(ValueType.STRING, labels)),) if labels else ()


def encoder_metadata(config: Config, arch: str) -> list[tuple[str, Value]]:
    """The keys of every text model, and that attention looks both ways."""
    return [*decoder_metadata(config, arch), (f"{arch}.attention.causal", flag(False))]


def positions_behind_padding(config: Config) -> tuple[Config, int]:
    """The config with the positions that a text can have, and the rows of the position table that none of them uses."""
    padding = config.optional_integer("pad_token_id")
    if padding is None:
        return config, 0
    count = config.optional_integer("max_position_embeddings")
    if count is None:
        return config, padding + 1
    if count <= padding + 1:
        raise config.wrong(("max_position_embeddings",), f"more than pad_token_id + 1 = {padding + 1}")
    return config.replace(max_position_embeddings=count - padding - 1), padding + 1


def token_types(config: Config) -> int:
    """How many kinds of segments there are, 1 where the config says nothing."""
    return config.integer("type_vocab_size") if config.find("type_vocab_size") is not None else 1


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """The numbers that the shapes follow from."""

    n_layer: int
    n_embd: int
    n_ff: int
    n_vocab: int


def encoder_sizes(config: Config) -> EncoderSizes:
    """The sizes under the names that encoders have for them. Raises ConfigError where one is missing or absurd."""
    return EncoderSizes(
        n_layer=block_count(config),
        n_embd=config.positive("hidden_size", "n_embd", "dim"),
        n_ff=config.positive("intermediate_size", "n_inner", "hidden_dim"),
        n_vocab=config.positive("vocab_size"),
    )


def bert_embeddings(config: Config, s: EncoderSizes, skipped: int = 0) -> tuple[Rule, ...]:
    """The embeddings of tokens, positions and segments, and their norm. The first `skipped` positions are left out."""
    positions = (config.positive("max_position_embeddings"), s.n_embd)
    segments = (token_types(config), s.n_embd)
    return (
        Rule("token_embd.weight", "embeddings.word_embeddings.weight", shape=(s.n_vocab, s.n_embd)),
        Rule(
            "position_embd.weight",
            "embeddings.position_embeddings.weight",
            shape=positions,
            gather=SkipRows(skipped) if skipped else None,
        ),
        Rule("token_types.weight", "embeddings.token_type_embeddings.weight", shape=segments, required=False),
        *linear("token_embd_norm", "embeddings.LayerNorm", (s.n_embd,)),
    )


def bert_layers(s: EncoderSizes) -> tuple[Rule, ...]:
    """The layers of BERT under its own names."""
    hf = "encoder.layer.{i}"
    return (
        *linear(f"{BLK}.attn_q", f"{hf}.attention.self.query", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_k", f"{hf}.attention.self.key", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_v", f"{hf}.attention.self.value", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{hf}.attention.output.dense", (s.n_embd, s.n_embd)),
        *linear(f"{BLK}.attn_output_norm", f"{hf}.attention.output.LayerNorm", (s.n_embd,)),
        *linear(f"{BLK}.ffn_up", f"{hf}.intermediate.dense", (s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{hf}.output.dense", (s.n_embd, s.n_ff)),
        *linear(f"{BLK}.layer_output_norm", f"{hf}.output.LayerNorm", (s.n_embd,)),
    )


def head(source: str, target: str) -> tuple[Rule, Rule]:
    """A matrix of a classifier, of any number of outputs, and its bias, where there are any."""
    return (
        Rule(f"{target}.weight", f"{source}.weight", required=False),
        Rule(f"{target}.bias", f"{source}.bias", required=False),
    )
