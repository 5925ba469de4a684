"""StarCoder2.

How the checkpoint differs from the GGUF layout: not at all but in names. Norms have biases, the feed-forward has no gate,
and the output matrix is usually the embedding.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/starcoder.py (StarCoder2Model).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import LAYERS, attention, ends, norms, plain_feed_forward, sizes
from ggufpress.arch.spec import Arch

CLASSES = ("Starcoder2ForCausalLM",)

# transformers 4.57.6, models/starcoder2/configuration_starcoder2.py
CONFIG_CLASSES = {
    "starcoder2": ConfigClass({
        "vocab_size": 49152, "hidden_size": 3072, "intermediate_size": 12288, "num_hidden_layers": 30,
        "num_attention_heads": 24, "num_key_value_heads": 2, "max_position_embeddings": 4096, "norm_epsilon": 1e-5,
        "rope_theta": 10000.0, "rope_scaling": None,
    }, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a StarCoder2 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    return Arch(
        name="starcoder2",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(decoder_metadata(config, "starcoder2")),
        rules=(*ends(s), *norms(s), *attention(s), *plain_feed_forward(s, f"{LAYERS}.mlp", "c_fc", "c_proj")),
    )
