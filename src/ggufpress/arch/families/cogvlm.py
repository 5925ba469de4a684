"""CogVLM's language model.

How the checkpoint differs from the GGUF layout:

1. Each layer has two sets of matrices, for text and for the places of an image. llama.cpp's converter leaves the second out
   with everything that is about vision.
2. Queries, keys and values of the text are one matrix in both. In CogVLM 2 heads may share their keys and values.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/cogvlm.py, conversion/llama.py (LlamaModel).
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, computed_frequencies, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import u32

CLASSES = ("CogVLMForCausalLM",)
NAME = "cogvlm"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a CogVLM model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_head_kv = config.optional_integer("num_multi_query_heads") or s.n_head_kv
    hf = f"{LAYERS}.self_attn.language_expert"
    if llama3_factors(config, s.head_dim):
        raise UnsupportedError(f"{config.path}: rope_scaling is llama3's, which llama.cpp does not know for CogVLM")
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="llama",
        metadata=(
            *decoder_metadata(config, NAME),
            (f"{NAME}.vocab_size", u32(s.n_vocab)),
            (f"{NAME}.rope.dimension_count", u32(s.head_dim)),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *linear(f"{BLK}.attn_qkv", f"{hf}_query_key_value", ((s.n_head + 2 * n_head_kv) * s.head_dim, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}_dense", (s.n_embd, s.rows_q)),
            *feed_forward(s.n_embd, s.n_ff, f"{LAYERS}.mlp.language_mlp"),
        ),
        drops=computed_frequencies(),
    )
