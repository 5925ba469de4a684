"""Gemma 3, its language model in multimodal checkpoints, and EmbeddingGemma.

How the checkpoint differs from the GGUF layout:

1. Norms are stored as the difference from 1, also those of the queries and keys of a head.
2. The embedding may have more rows than the vocabulary has tokens; they are left out.
3. All layers but every sixth have sliding windows; llama.cpp knows that by itself. A sliding_window_pattern of 1 means
   that no layer has one.
4. EmbeddingGemma has no `model.` prefix, and its window is what config.json says: transformers halves it for models that
   look both ways.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/gemma.py (Gemma3Model, EmbeddingGemma).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.gather import FirstRows
from ggufpress.arch.layers import BLK, attention, feed_forward, head_norms, linear, sizes
from ggufpress.arch.ops import Add
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Rule
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, f32, u32

NAMES = {
    "Gemma3ForCausalLM": "gemma3",
    "Gemma3ForConditionalGeneration": "gemma3",
    "Gemma3TextModel": "gemma-embedding",
}
CLASSES = tuple(NAMES)

# transformers 4.57.6, models/gemma3/configuration_gemma3.py
CONFIG_CLASSES = {
    "gemma3_text": ConfigClass({
        "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26,
        "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": None,
        "sliding_window": 4096, "final_logit_softcapping": None, "attn_logit_softcapping": None,
    }, renames_type=False, fills_kv_heads=False),
}  # fmt: skip
# of the converter, for keys that older configs lack
DEFAULTS = {
    "max_position_embeddings": 131072, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
    "rms_norm_eps": 1e-6,
}  # fmt: skip
NORMS = {
    "attn_norm": "input_layernorm", "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Gemma 3 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    if config is not raw and config.find("use_bidirectional_attention"):
        config = config.replace(sliding_window=config.integer("sliding_window") // 2 + 1)
    name = NAMES[hf_class]
    s = sizes(config.with_defaults(DEFAULTS))
    embedding = name == "gemma-embedding"
    layers = "layers.{i}" if embedding else "model.layers.{i}"
    prefix = "" if embedding else "model."
    rules = (
        Rule("output_norm.weight", f"{prefix}norm.weight", shape=(s.n_embd,)),
        *(
            Rule(f"{BLK}.{target}.weight", f"{layers}.{source}.weight", shape=(s.n_embd,))
            for target, source in NORMS.items()
        ),
        *head_norms(s, f"{layers}.self_attn"),
    )
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="gemma3",
        metadata=tuple(_metadata(config, raw, name)),
        rules=(
            Rule("token_embd.weight", f"{prefix}embed_tokens.weight", (), (s.n_vocab, s.n_embd),
                 gather=FirstRows(s.n_vocab)),
            *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
            *(Rule(rule.target, rule.source, (Add(1),), rule.shape) for rule in rules),
            *attention(s, f"{layers}.self_attn"),
            *feed_forward(s.n_embd, s.n_ff, f"{layers}.mlp"),
        ),
        pooled=embedding,
    )  # fmt: skip


def _metadata(config: Config, raw: Config, name: str) -> list[tuple[str, Value]]:
    keys = metadata(config, name)
    if name == "gemma-embedding":
        keys.append((f"{name}.attention.sliding_window", u32(raw.integer("sliding_window"))))
    return keys


def metadata(config: Config, name: str) -> list[tuple[str, Value]]:
    """The keys of every Gemma since the third, in file order; a key that is set again keeps its place."""
    full = config.with_defaults(DEFAULTS)
    if config.find("attn_logit_softcapping") is not None:
        raise UnsupportedError(f"{config.path}: attn_logit_softcapping is set, which Gemma 3 does not have")
    theta = rope_parameters(config).optional_number("rope_theta")
    keys = [
        *decoder_metadata(config, name),
        (f"{name}.context_length", u32(full.integer("max_position_embeddings"))),
        (f"{name}.attention.head_count", u32(full.integer("num_attention_heads"))),
        (f"{name}.attention.layer_norm_rms_epsilon", f32(full.number("rms_norm_eps"))),
        (f"{name}.attention.key_length", u32(full.integer("head_dim"))),
        (f"{name}.attention.value_length", u32(full.integer("head_dim"))),
        (f"{name}.rope.freq_base", f32(1e6 if theta is None else theta)),
    ]
    if softcap := config.optional_number("final_logit_softcapping"):
        keys.append((f"{name}.final_logit_softcapping", f32(softcap)))
    if config.find("sliding_window_pattern") != 1:
        keys.append((f"{name}.attention.sliding_window", u32(config.integer("sliding_window"))))
    keys.append((f"{name}.attention.head_count_kv", u32(full.integer("num_key_value_heads"))))
    return keys
