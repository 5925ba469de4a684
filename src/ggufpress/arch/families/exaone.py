"""EXAONE 3 and 4, and the language model of EXAONE 4.5.

How the checkpoint differs from the GGUF layout:

1. EXAONE 3 has names of its own, EXAONE 4 those of Llama; nothing is permuted.
2. EXAONE 4 has norms behind attention and feed-forward, and norms for the queries and keys of a head.
3. Llama 3's rope scaling becomes a tensor of frequency divisors, rope_freqs.weight.
4. EXAONE 4 may have sliding windows: as layer_types says, else in all layers but every sliding_window_pattern-th, or as the
   letters of that pattern say in turn.
5. EXAONE 4.5 has one layer behind the others that predicts a further token, under `mtp.`; it is written too.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/exaone.py (ExaoneModel, Exaone4Model, Exaone4_5_TextModel).
transformers 4.57.6 has a class for EXAONE 4 alone.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, head_norms, linear, sizes
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.arch.windows import flags, sliding_layers
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, u32

NAMES = {
    "ExaoneForCausalLM": "exaone",
    "Exaone4ForCausalLM": "exaone4",
    "Exaone4_5_ForConditionalGeneration": "exaone4",
}
CLASSES = tuple(NAMES)


def _divides_by_zero(config: Config) -> bool:
    """Whether Exaone4Config fails: it computes layer_types from a pattern that is 0 where there is no window."""
    return config.find("sliding_window") is None and config.find("layer_types") is None


# transformers 4.57.6, models/exaone4/configuration_exaone4.py
CONFIG_CLASSES = {
    "exaone4": ConfigClass(MODERN | {
        "vocab_size": 102400, "hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
        "sliding_window": 4096, "sliding_window_pattern": 4,
    }, refuses=_divides_by_zero, renames_type=False, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an EXAONE model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    name = NAMES[hf_class]
    later = _later_layers(config) if "4_5" in hf_class else 0
    metadata = decoder_metadata(config.replace(n_layers=s.n_layer + later), name)
    rules: tuple[Rule, ...]
    if name == "exaone":
        part = config.optional_number("partial_rotary_factor", "rope_pct", "rope_percent")
        rotated = int((1.0 if part is None else part) * (s.n_embd // s.n_head))
        metadata.append((f"{name}.rope.dimension_count", u32(rotated)))
        hf = "transformer.h.{i}"
        rules = (
            Rule("token_embd.weight", "transformer.wte.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("output_norm", "transformer.ln_f", (s.n_embd,)),
            *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{hf}.ln_1", (s.n_embd,)),
            *linear(f"{BLK}.ffn_norm", f"{hf}.ln_2", (s.n_embd,)),
            *linear(f"{BLK}.attn_q", f"{hf}.attn.attention.q_proj", (s.rows_q, s.n_embd)),
            *linear(f"{BLK}.attn_k", f"{hf}.attn.attention.k_proj", (s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_v", f"{hf}.attn.attention.v_proj", (s.rows_kv, s.n_embd)),
            *linear(f"{BLK}.attn_output", f"{hf}.attn.attention.out_proj", (s.n_embd, s.rows_q)),
            *linear(f"{BLK}.ffn_gate", f"{hf}.mlp.c_fc_0", (s.n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_up", f"{hf}.mlp.c_fc_1", (s.n_ff, s.n_embd)),
            *linear(f"{BLK}.ffn_down", f"{hf}.mlp.c_proj", (s.n_embd, s.n_ff)),
        )
    else:
        metadata.append((f"{name}.vocab_size", u32(s.n_vocab)))
        if config.find("sliding_window") is not None:
            metadata += _windows(config, name, s.n_layer)
        rules = (
            *ends(s),
            *attention(s),
            *head_norms(s),
            *linear(f"{BLK}.post_attention_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.post_ffw_norm", f"{LAYERS}.post_feedforward_layernorm", (s.n_embd,)),
            *feed_forward(s.n_embd, s.n_ff),
        )
        if later:
            metadata.append((f"{name}.nextn_predict_layers", u32(later)))
            rules += _later_rules(s, rules)
    factors = llama3_factors(config, s.head_dim, default_factor=8.0 if name == "exaone" else 16.0)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=rules,
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
    )


def _windows(config: Config, name: str, n_layer: int) -> list[tuple[str, Value]]:
    """The window's size, and which layers have one where the config says so (4)."""
    keys = [(f"{name}.attention.sliding_window", u32(config.integer("sliding_window")))]
    pattern = config.find("sliding_window_pattern")
    sliding: tuple[bool, ...] = ()
    if "layer_types" in config.values or (type(pattern) is int and pattern > 0):
        sliding = sliding_layers(config, n_layer, pattern if type(pattern) is int else 0)
    elif isinstance(pattern, str) and pattern:
        sliding = tuple(pattern[i % len(pattern)] == "L" for i in range(n_layer))
    elif "sliding_window_pattern" in config.values:
        raise config.wrong(("sliding_window_pattern",), "a positive integer or letters, L for layers with a window")
    return [*keys, (f"{name}.attention.sliding_window_pattern", flags(sliding))] if sliding else keys


def _later_layers(config: Config) -> int:
    later = config.optional_integer("num_nextn_predict_layers") or 0
    if later > 1:
        raise UnsupportedError(f"{config.path}: num_nextn_predict_layers is {later}, at most 1 can be converted yet")
    return later


def _later_rules(s: Sizes, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """What the layer has that predicts a further token: those of a layer, and four more (5)."""
    blk = f"blk.{s.n_layer}"
    layer = tuple(
        replace(
            rule,
            target=rule.target.replace(BLK, blk),
            source=rule.source.replace(LAYERS, "mtp.layers.0"),
            required=False,
        )
        for rule in rules
        if rule.target.startswith(BLK)
    )
    names = {
        "eh_proj": "fc",
        "enorm": "pre_fc_norm_embedding",
        "hnorm": "pre_fc_norm_hidden",
        "shared_head_norm": "norm",
    }
    return (
        *layer,
        *(
            Rule(f"{blk}.nextn.{target}.weight", f"mtp.{source}.weight", required=False)
            for target, source in names.items()
        ),
    )
