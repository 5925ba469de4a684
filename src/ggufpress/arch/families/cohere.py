"""Command-R and Command-R7B.

How the checkpoint differs from the GGUF layout:

1. The output matrix is the embedding, and there is one norm per layer.
2. Command-R's context length is its model_max_length where the config has one.
3. llama.cpp knows no biases for Command-R7B: a checkpoint that has some is refused.
4. Rope is never scaled, whatever rope_scaling says: that key is written as none, after the usual ones.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/command_r.py (CommandR2Model, Cohere2Model).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, feed_forward, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import f32, text, u32

NAMES = {"CohereForCausalLM": "command-r", "Cohere2ForCausalLM": "cohere2"}
CLASSES = tuple(NAMES)

# transformers 4.57.6, models/{cohere,cohere2}/configuration_*.py
_SHARED = {
    "vocab_size": 256000, "hidden_size": 8192, "intermediate_size": 22528, "num_hidden_layers": 40,
    "num_attention_heads": 64, "num_key_value_heads": None, "max_position_embeddings": 8192, "layer_norm_eps": 1e-5,
    "rope_theta": 10000.0, "rope_scaling": None, "logit_scale": 0.0625,
}  # fmt: skip
CONFIG_CLASSES = {
    "cohere": ConfigClass(_SHARED, renames_type=False),
    "cohere2": ConfigClass(_SHARED | {"sliding_window": 4096}, renames_type=False),
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Command-R model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    name = NAMES[hf_class]
    if name == "command-r":
        config = config.replace(max_position_embeddings=config.find("model_max_length", "max_position_embeddings"))
    elif config is not raw and raw.find("head_dim") is None:
        # the class computes it, and then takes what the file states
        config = config.replace(head_dim=config.positive("hidden_size") // config.positive("num_attention_heads"))
    s = sizes(config)
    metadata = [*decoder_metadata(config, name), (f"{name}.logit_scale", f32(config.number("logit_scale")))]
    if name == "cohere2":
        rotated = int(config.number("rotary_pct") * (s.n_embd // s.n_head))
        metadata += [
            (f"{name}.attention.sliding_window", u32(config.integer("sliding_window"))),
            (f"{name}.vocab_size", u32(s.n_vocab)),
            (f"{name}.rope.dimension_count", u32(rotated)),
        ]
    metadata.append((f"{name}.rope.scaling.type", text("none")))
    head_norms = (
        Rule(f"{BLK}.attn_q_norm.weight", f"{LAYERS}.self_attn.q_norm.weight", (), (s.n_head, s.head_dim), False),
        Rule(f"{BLK}.attn_k_norm.weight", f"{LAYERS}.self_attn.k_norm.weight", (), (s.n_head_kv, s.head_dim), False),
    )
    rules = (
        *ends(s),
        *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
        *attention(s),
        *(head_norms if name == "command-r" else ()),
        *feed_forward(s.n_embd, s.n_ff),
    )
    if name == "cohere2":
        rules = tuple(rule for rule in rules if not rule.target.endswith(".bias"))
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=rules,
    )
