"""Qwen2, Qwen3 and the dense models that share their rules.

How the checkpoint differs from the GGUF layout:

1. Nothing is permuted: llama.cpp rotates the halves of a head against each other, as Hugging Face does.
2. A checkpoint of the bare Qwen2Model has no `model.` prefix and no lm_head; that of Qwen3Model keeps the prefix.
3. Queries and keys of Qwen3 pass through a norm per head.
4. Embedding models say in modules.json how they pool.
5. KORMo's norms may be called pre_attention_layernorm and pre_mlp_layernorm.
6. Qwen2-Audio, Audio Flamingo 3, dots.ocr and Step3-VL hold one of these beside other parts, which are left out.
7. A reranker's head becomes a classifier of two tokens in llama.cpp: not supported.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwen.py.
"""

from __future__ import annotations

from pathlib import Path

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, norms, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.errors import UnsupportedError

NAMES = {
    "Qwen2ForCausalLM": "qwen2",
    "Qwen2Model": "qwen2",
    "KORMoForCausalLM": "qwen2",
    "Qwen2AudioForConditionalGeneration": "qwen2",
    "AudioFlamingo3ForConditionalGeneration": "qwen2",
    "DotsOCRForCausalLM": "qwen2",
    "StepVLForConditionalGeneration": "qwen3",
    "Qwen3ForCausalLM": "qwen3",
    "Qwen3Model": "qwen3",
}
CLASSES = tuple(NAMES)

# transformers 4.57.6, models/{qwen2,qwen3}/configuration_*.py
_SHARED = MODERN | {
    "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
}  # fmt: skip
CONFIG_CLASSES = {
    "qwen2": ConfigClass(_SHARED),
    "qwen3": ConfigClass(_SHARED | {"head_dim": 128}),
}


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a dense Qwen model. Raises ConfigError for a config that does not make sense."""
    hints = f"{Path(raw.path).parent.name} {raw.find('_name_or_path')}".lower()
    if NAMES[hf_class] == "qwen3" and "qwen3-reranker" in hints:
        raise UnsupportedError(f"{raw.path}: Qwen3 rerankers, whose head is two tokens, cannot be converted yet")
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    prefix = "" if hf_class == "Qwen2Model" else "model."
    layers = f"{prefix}layers.{{i}}"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="qwen",
        metadata=tuple(decoder_metadata(config, name)),
        rules=(
            *ends(s, prefix),
            *(_kormo_norms(s) if hf_class == "KORMoForCausalLM" else norms(s, layers)),
            *attention(s, f"{layers}.self_attn"),
            *(head_norms(s, f"{layers}.self_attn") if name == "qwen3" else ()),
            *feed_forward(s.n_embd, s.n_ff, f"{layers}.mlp"),
        ),
        pooled=True,
    )


def _kormo_norms(s: Sizes) -> tuple[Rule, ...]:
    """The norms of a layer, under either of their names (5)."""
    names = {"attn_norm": ("pre_attention_layernorm", "input_layernorm"),
             "ffn_norm": ("pre_mlp_layernorm", "post_attention_layernorm")}  # fmt: skip
    return tuple(
        Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{source}.weight", (), (s.n_embd,), False)
        for target, sources in names.items()
        for source in sources
    )
