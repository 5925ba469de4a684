"""HunYuan, dense, and the language model of HunYuan-VL.

How the checkpoint differs from the GGUF layout:

1. Nothing is permuted. Queries and keys pass through a norm per head, behind the rotation.
2. Tied models store lm_head all the same; it is left out.
3. Dynamic rope scaling with alpha becomes a larger base frequency, and a context of 256k. HunYuan-VL's XD-RoPE also gets the
   sizes of its sections; its context is what the config says.
4. HunYuan-VL may state one expert: that is none.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/hunyuan.py (HunYuanModel, HunyuanVLTextModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, attention, ends, feed_forward, norms, sizes
from ggufpress.arch.rope import mrope_section, rope_parameters
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, f32, text, u32

NAMES = {"HunYuanDenseV1ForCausalLM": "hunyuan-dense", "HunYuanVLForConditionalGeneration": "hunyuan_vl"}
CLASSES = tuple(NAMES)
CONTEXT = 256 * 1024
STATED_CONTEXTS = (32 * 1024, CONTEXT)

# transformers 4.57.6, models/hunyuan_v1_dense/configuration_hunyuan_v1_dense.py
CONFIG_CLASSES = {
    "hunyuan_v1_dense": ConfigClass({
        "vocab_size": 290943, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": None, "head_dim": None, "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None, "tie_word_embeddings": False,
    }, refuses=takes_any_rope, renames_type=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a HunYuan model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    vocab = "hunyuan-eod" if config is raw else "hunyuan"
    name = NAMES[hf_class]
    config = config.without("num_experts")
    s = sizes(config)
    head = f"{LAYERS}.self_attn"
    rules = (
        *ends(s),
        *norms(s),
        *attention(s),
        Rule(f"{BLK}.attn_q_norm.weight", f"{head}.query_layernorm.weight", (), (s.head_dim,), False),
        Rule(f"{BLK}.attn_k_norm.weight", f"{head}.key_layernorm.weight", (), (s.head_dim,), False),
        *feed_forward(s.n_embd, s.n_ff),
    )
    tied = config.flag("tie_word_embeddings", False)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab=vocab,
        metadata=(*decoder_metadata(config, name), *_scaled_rope(config, name)),
        rules=tuple(rule for rule in rules if not (tied and rule.source == "lm_head.weight")),
        drops=(Drop("lm_head.weight", "the embeddings are tied"),) if tied else (),
    )


def _scaled_rope(config: Config, name: str) -> list[tuple[str, Value]]:
    """The keys that dynamic scaling sets (3)."""
    rope = rope_parameters(config)
    kind = rope.optional_text("rope_type")
    sections = rope.find("xdrope_section")
    if name == "hunyuan_vl" and kind == "dynamic" and "mrope_section" in rope.values:
        kind, sections = "xdrope", rope.find("mrope_section")
    if kind not in ("dynamic", "xdrope"):
        return []
    size, theta = config.positive("head_dim"), rope.optional_number("rope_theta")
    base, alpha = 10000.0 if theta is None else theta, rope.optional_number("alpha")
    scaled = base * ((50 if alpha is None else alpha) ** (size / (size - 2))) if size != 2 else float("inf")
    if not isinstance(scaled, float) or not scaled < 3e38:
        raise rope.wrong(("alpha",), "a factor by which float32 can hold the base frequency")
    keys = [
        (f"{name}.rope.freq_base", f32(scaled)),
        (f"{name}.rope.scaling.type", text("none")),
        (f"{name}.rope.scaling.factor", f32(1)),
    ]
    context = config.integer("max_position_embeddings")
    if kind == "dynamic":
        if base != 10000.0 or context not in STATED_CONTEXTS:
            raise UnsupportedError(
                f"{config.path}: dynamic rope scaling is known for rope_theta 10000 and a context of 32k or 256k alone"
            )
        context = CONTEXT
    elif name == "hunyuan_vl":
        factor = rope.optional_number("factor")
        keys += [
            (f"{name}.rope.freq_base", f32(rope.number("rope_theta"))),
            (f"{name}.rope.scaling.alpha", f32(rope.number("alpha"))),
            (f"{name}.rope.scaling.factor", f32(1 if factor is None else factor)),
        ]
    else:
        return keys
    keys += [
        (f"{name}.rope.scaling.original_context_length", u32(context)),
        (f"{name}.context_length", u32(context)),
    ]
    if kind == "xdrope":
        stated = rope.replace(xdrope_section=sections)
        mrope_section(stated, "xdrope_section")
        keys.append((f"{name}.rope.dimension_sections", array(ValueType.INT32, tuple(sections))))
    return keys
