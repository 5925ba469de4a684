"""The language models of Qwen2-VL, Qwen2.5-VL, Qwen2.5-Omni, Qwen3-VL and Qwen3-ASR.

How the checkpoint differs from the GGUF layout:

1. The tensors are those of Qwen2 and Qwen3, behind `language_model.` or `thinker.` in newer checkpoints.
2. Old configs are flat; transformers reads them as a text section.
3. M-RoPE's sections become a key; the mrope of old configs is no scaling.
4. Qwen3-VL feeds outputs of some vision layers to the first layers: how many is a key.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwenvl.py (Qwen2VLModel), conversion/qwen3vl.py (Qwen3VLTextModel,
Qwen3ASRTextModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import attention, ends, feed_forward, head_norms, norms, sizes
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import u32

NAMES = {
    "Qwen2VLModel": "qwen2vl",
    "Qwen2VLForConditionalGeneration": "qwen2vl",
    "Qwen2_5_VLForConditionalGeneration": "qwen2vl",
    "Qwen2_5OmniModel": "qwen2vl",
    "Qwen3VLForConditionalGeneration": "qwen3vl",
    "Qwen3ASRForConditionalGeneration": "qwen3vl",
}
CLASSES = tuple(NAMES)

# transformers 4.57.6, models/{qwen2_vl,qwen2_5_vl,qwen2_5_omni,qwen3_vl}/configuration_*.py
_QWEN2 = MODERN | {
    "vocab_size": 152064, "hidden_size": 8192, "intermediate_size": 29568, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "max_position_embeddings": 32768, "rms_norm_eps": 1e-5,
    "rope_theta": 1000000.0,
}  # fmt: skip
CONFIG_CLASSES = {
    "qwen2_vl_text": ConfigClass(_QWEN2),
    "qwen2_5_vl_text": ConfigClass(_QWEN2),
    "qwen2_5_omni_text": ConfigClass(_QWEN2 | {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "rms_norm_eps": 1e-6,
    }),
    "qwen3_vl_text": ConfigClass(MODERN | {
        "vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "head_dim": 128, "max_position_embeddings": 128000,
        "rms_norm_eps": 1e-6, "rope_theta": 5000000.0,
    }, renames_type=False),
}  # fmt: skip
OLD_TYPES = ("qwen2_vl_text", "qwen2_5_vl_text", "qwen2_5_omni_text")
DEFAULT_DEEPSTACK = 3


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Qwen-VL's language model. Raises ConfigError for a config that does not make sense."""
    stated = _without_mrope_type(raw)
    config = read_through_class(stated, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    metadata = decoder_metadata(config, name)
    if name == "qwen3vl":
        metadata.append(
            (
                f"{name}.n_deepstack_layers",
                u32(0 if "ASR" in hf_class else deepstack_layers(config, refused=config is stated)),
            )
        )
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="qwen3-asr" if "ASR" in hf_class else "spm-or-bpe",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *(head_norms(s) if name == "qwen3vl" else ()),
            *feed_forward(s.n_embd, s.n_ff),
        ),
        prefixes=(("thinker.model.language_model.", "model."), ("thinker.", "")),
        pooled=name == "qwen3vl",
    )


def _without_mrope_type(raw: Config) -> Config:
    """The config with a rope_scaling of type mrope as one that does not scale, as transformers reads old ones (3)."""
    scaling = raw.find("rope_scaling")
    old = raw.find("model_type") in OLD_TYPES and not raw.plain
    if old and isinstance(scaling, dict) and scaling.get("type") == "mrope":
        return raw.replace(rope_scaling=scaling | {"type": "default"})
    return raw


def deepstack_layers(config: Config, *, refused: bool = False) -> int:
    """How many vision layers feed the language model: three by default where transformers knows the config.

    `refused`: its class does not take it, and the reference reads the file as it stands.
    """
    owner = config.section("thinker_config") or config
    vision = owner.section("vision_config")
    indexes = vision.find("deepstack_visual_indexes") if vision else None
    if indexes is None:
        return 0 if config.plain or refused else DEFAULT_DEEPSTACK
    if not isinstance(indexes, list):
        raise config.wrong(("vision_config",), "an object whose deepstack_visual_indexes is a list")
    return len(indexes)
