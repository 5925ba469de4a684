"""Phi-3, Phi-3.5, Phi-4 and the language model of Phi-4 vision.

How the checkpoint differs from the GGUF layout:

1. q, k and v are one matrix, and so are gate and up; llama.cpp keeps them so.
2. LongRoPE: the divisors for long and short texts become two tensors, and the attention factor, which follows from how
   much longer the context is than the original one, a key before all others.
3. sliding_window is 0 where the config has none: so llama.cpp tells Phi-4 from Phi-3.
4. A rope_scaling of type su or yarn is LongRoPE too. The original context must be known, also without any scaling.
5. Phi-4 has a GPT-2 tokenizer, the others SentencePiece with tokens from three more files.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/phi.py (Phi3MiniModel).
"""

from __future__ import annotations

import math
from typing import Any

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, linear, norms, sizes
from ggufpress.arch.rope import long_short_factors, rope_parameters, rotary_share
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.gguf.values import Value, f32, u32

CLASSES = ("Phi3ForCausalLM", "Phi4ForCausalLMV")


def _is_no_longrope(config: Config) -> bool:
    """Whether Phi3Config refuses a rope_scaling: it takes type and two lists of divisors, nothing else."""
    scaling = config.find("rope_scaling")
    if scaling is None:
        return False
    if not isinstance(scaling, dict) or len(scaling) != 3 or scaling.get("type") != "longrope":
        return True
    share = config.number("partial_rotary_factor")
    pairs = int(config.positive("hidden_size") // config.positive("num_attention_heads") * share) // 2
    return not all(_is_list_of_numbers(scaling.get(key), pairs) for key in ("short_factor", "long_factor"))


def _is_list_of_numbers(value: Any, length: int) -> bool:
    return isinstance(value, list) and len(value) == length and all(isinstance(x, int | float) for x in value)


# transformers 4.57.6, models/phi3/configuration_phi3.py
CONFIG_CLASSES = {
    "phi3": ConfigClass(MODERN | {
        "vocab_size": 32064, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": None, "max_position_embeddings": 4096,
        "original_max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "partial_rotary_factor": 1.0,
        "sliding_window": None,
    }, refuses=_is_no_longrope, renames_type=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Phi-3 model. Raises ConfigError for a config that does not make sense."""
    scaling = raw.find("rope_scaling")
    if raw.find("model_type") == "phi3" and isinstance(scaling, dict) and scaling.get("type") in ("su", "yarn"):
        renamed = read_through_class(raw.replace(rope_scaling=scaling | {"type": "longrope"}), CONFIG_CLASSES)
        config = renamed if "original_max_position_embeddings" in renamed.values else raw
    else:
        config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    layer = f"{LAYERS}.self_attn"
    rules = (
        *ends(s),
        *norms(s),
        *linear(f"{BLK}.attn_qkv", f"{layer}.qkv_proj", (s.rows_q + 2 * s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{layer}.o_proj", (s.n_embd, s.rows_q)),
        *linear(f"{BLK}.ffn_up", f"{LAYERS}.mlp.gate_up_proj", (2 * s.n_ff, s.n_embd)),
        *linear(f"{BLK}.ffn_down", f"{LAYERS}.mlp.down_proj", (s.n_embd, s.n_ff)),
    )
    return with_long_rope(config, hf_class, "phi3", s, rules)


def with_long_rope(config: Config, hf_class: str, name: str, s: Sizes, rules: tuple[Rule, ...]) -> Arch:
    """The description of a model with these rules and Phi-3's keys."""
    rope = rope_parameters(config)
    share = rotary_share(config)
    rotated = int((1.0 if share is None else share) * s.n_embd) // s.n_head
    context = config.positive("n_positions", "max_position_embeddings")
    original = rope.positive("original_max_position_embeddings")
    factors = long_short_factors(config, rotated)
    constants: tuple[Constant, ...] = ()
    leading: tuple[tuple[str, Value], ...] = ()
    if factors:
        leading = ((f"{name}.rope.scaling.attn_factor", f32(_attention_factor(rope, context, original))),)
        constants = (
            Constant("rope_factors_long.weight", factors[0]),
            Constant("rope_factors_short.weight", factors[1]),
        )
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="phi3",
        metadata=(
            (f"{name}.context_length", u32(context)),
            (f"{name}.rope.scaling.original_context_length", u32(original)),
            (f"{name}.embedding_length", u32(s.n_embd)),
            (f"{name}.feed_forward_length", u32(s.n_ff)),
            (f"{name}.block_count", u32(s.n_layer)),
            (f"{name}.attention.head_count", u32(s.n_head)),
            (f"{name}.attention.head_count_kv", u32(config.positive("num_key_value_heads", "n_head_kv"))),
            (f"{name}.attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps"))),
            (f"{name}.rope.dimension_count", u32(rotated)),
            (f"{name}.rope.freq_base", f32(rope.number("rope_theta"))),
            (FILE_TYPE, u32(0)),
            (f"{name}.attention.sliding_window", u32(config.optional_integer("sliding_window") or 0)),
        ),
        rules=rules,
        constants=constants,
        leading=leading,
    )


def _attention_factor(rope: Config, context: int, original: int) -> float:
    """How much larger attention's scale is for a context that was made longer."""
    kind = (rope.optional_text("rope_type") or "").lower()
    scale = context / original
    if kind in ("su", "longrope"):
        return math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 and original > 1 else 1.0
    if kind == "yarn":
        return 0.1 * math.log(scale) + 1 if scale > 1 else 1.0
    raise rope.wrong(("rope_type",), "longrope, su or yarn")
