"""Gemma 4, the language model of its multimodal checkpoints, and the small assistants that draft for it.

How the checkpoint differs from the GGUF layout:

1. Norms are stored as they are used. The embedding's rows behind the vocabulary are left out, as for Gemma 3.
2. Layers with full attention have heads of another size than those with windows, and may have another number of keys;
   where these are the values too (attention_k_eq_v), there is no matrix for values.
3. The last layers may use keys and values of layers before them (num_kv_shared_layers), and have feed-forwards twice as wide.
4. Heads of full attention are rotated in part. The tensor of rotary divisors, made from the config, makes the others stand.
5. Experts are stored as stacks, gate and up in one, beside a dense feed-forward; scales of the router and of each expert are
   tensors of their own.
6. Assistants have queries only, and are joined to their model by two projections. What picks the likely tokens is left out.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/gemma.py (Gemma4Model, Gemma4UnifiedModel, Gemma4AssistantModel).
transformers 4.57.6 has no class for them: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.experts import in_layers, router
from ggufpress.arch.families.gemma3 import NORMS, metadata
from ggufpress.arch.families.gemma3n import per_layer_inputs
from ggufpress.arch.gather import FirstRows
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, feed_forward, head_norms, linear, sizes
from ggufpress.arch.spec import SILENT_TOKENS, Arch, Constant, Drop, Rule
from ggufpress.arch.windows import flags, sliding_layers
from ggufpress.gguf.values import Value, ValueType, array, u32

NAMES = {
    "Gemma4ForCausalLM": "gemma4",
    "Gemma4ForConditionalGeneration": "gemma4",
    "Gemma4UnifiedForConditionalGeneration": "gemma4",
    "Gemma4AssistantForCausalLM": "gemma4-assistant",
    "Gemma4UnifiedAssistantForCausalLM": "gemma4-assistant",
}
CLASSES = tuple(NAMES)
STANDS_STILL = 1e30
"""What a rotary frequency is divided by so that nothing turns."""
WITHOUT_KEYS = ("attn_k.weight", "attn_k_norm.weight", "attn_v.weight")


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Gemma 4 model. Raises ConfigError for a config that does not make sense."""
    name = NAMES[hf_class]
    s = sizes(config)
    if config.find("layer_types") is None:
        raise config.wrong(("layer_types",), f"a list of {s.n_layer} kinds of attention")
    sliding = sliding_layers(config, s.n_layer, 0)
    full = replace(s, head_dim=_of_full(config, sliding, "global_head_dim", "head_dim"))
    n_full = _of_full(config, sliding, "num_global_key_value_heads", "num_key_value_heads", optional=True)
    if n_full:
        full = replace(full, n_head_kv=n_full)
    n_small = config.optional_integer("hidden_size_per_layer_input") or 0
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=config.optional_integer("num_local_experts", "num_experts") or 0,
        n_vocab=s.n_vocab,
        vocab="gemma4",
        metadata=tuple(_metadata(config, name, s, full, sliding, n_full, n_small).items()),
        rules=(
            Rule("token_embd.weight", "model.embed_tokens.weight", (), (s.n_vocab, s.n_embd), gather=FirstRows(s.n_vocab)),
            *linear("output_norm", "model.norm", (s.n_embd,)),
            *linear("output", "lm_head", (s.n_vocab, s.n_embd), required=False),
            *(per_layer_inputs(s, n_small) if n_small else ()),
            *(Rule(f"{BLK}.{target}.weight", f"{LAYERS}.{hf}.weight", shape=(s.n_embd,)) for target, hf in NORMS.items()),
            Rule(f"{BLK}.layer_output_scale.weight", f"{LAYERS}.layer_scalar", shape=(1,), required=False),
            *_attention(config, s, full, sliding),
            *_feed_forward(config, s),
            *(_experts(config, s) if config.flag("enable_moe_block", default=False) else ()),
            *(_joints(config, s) if name == "gemma4-assistant" else ()),
        ),
        drops=(Drop("masked_embedding.*", "llama.cpp looks at all tokens"),) if name == "gemma4-assistant" else (),
        constants=(Constant("rope_freqs.weight", _divisors(config, full.head_dim)),),
        generation=((SILENT_TOKENS, "suppress_tokens"),) if "Unified" in hf_class and name == "gemma4" else (),
    )  # fmt: skip


def _of_full(config: Config, sliding: tuple[bool, ...], key: str, own: str, optional: bool = False) -> int:
    """A size of layers with full attention: under `key`, or under `own` in per_layer_config; 0 where it may be absent."""
    if config.find(key) is not None:
        return config.positive(key)
    layers = config.section("per_layer_config")
    for i, values in (layers.values if layers else {}).items():
        known = i.isdecimal() and int(i) < len(sliding) and not sliding[int(i)]
        if layers and known and isinstance(values, dict) and own in values:
            return Config(values, f"{layers.path}: {i}").positive(own)
    if not optional:
        raise config.wrong((key,), "a positive integer")
    return 0


def _attention(config: Config, s: Sizes, full: Sizes, sliding: tuple[bool, ...]) -> tuple[Rule, ...]:
    """Attention of both kinds of layers; what may be absent does so in layers that share keys or have no values (2, 3)."""
    first_shared = s.n_layer - config.integer("num_kv_shared_layers")
    keys_are_values = config.flag("attention_k_eq_v", default=False)
    rules = []
    for i in range(s.n_layer):
        kind = s if sliding[i] else full
        for rule in in_layers([i], *attention(kind), *head_norms(kind)):
            absent = i >= first_shared and rule.target.endswith(WITHOUT_KEYS)
            absent |= keys_are_values and not sliding[i] and rule.target.endswith("attn_v.weight")
            rules.append(replace(rule, required=rule.required and not absent))
    return tuple(rules)


def _feed_forward(config: Config, s: Sizes) -> tuple[Rule, ...]:
    first_shared = max(0, s.n_layer - config.integer("num_kv_shared_layers"))
    wide = 2 if config.flag("use_double_wide_mlp", default=False) else 1
    return (
        *in_layers(range(first_shared), *feed_forward(s.n_embd, s.n_ff)),
        *in_layers(range(first_shared, s.n_layer), *feed_forward(s.n_embd, s.n_ff * wide)),
    )


def _experts(config: Config, s: Sizes) -> tuple[Rule, ...]:
    n_expert = config.positive("num_local_experts", "num_experts")
    n_ff = config.positive("expert_intermediate_size", "moe_intermediate_size")
    return (
        router(n_expert, s.n_embd, f"{LAYERS}.router.proj"),
        Rule(f"{BLK}.ffn_gate_inp.scale", f"{LAYERS}.router.scale", shape=(s.n_embd,)),
        Rule(f"{BLK}.ffn_down_exps.scale", f"{LAYERS}.router.per_expert_scale", shape=(n_expert,)),
        Rule(f"{BLK}.ffn_gate_up_exps.weight", f"{LAYERS}.experts.gate_up_proj", (), (n_expert, 2 * n_ff, s.n_embd)),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{LAYERS}.experts.down_proj", (), (n_expert, s.n_embd, n_ff)),
        *linear(f"{BLK}.pre_ffw_norm_2", f"{LAYERS}.pre_feedforward_layernorm_2", (s.n_embd,)),
        *linear(f"{BLK}.post_ffw_norm_1", f"{LAYERS}.post_feedforward_layernorm_1", (s.n_embd,)),
        *linear(f"{BLK}.post_ffw_norm_2", f"{LAYERS}.post_feedforward_layernorm_2", (s.n_embd,)),
    )


def _joints(config: Config, s: Sizes) -> tuple[Rule, ...]:
    n_other = config.positive("backbone_hidden_size")
    return (
        *linear("nextn.pre_projection", "pre_projection", (s.n_embd, 2 * n_other)),
        *linear("nextn.post_projection", "post_projection", (n_other, s.n_embd)),
    )


def _divisors(config: Config, head_dim: int) -> tuple[float, ...]:
    """1 for the pairs of dimensions that turn, and for the others what makes them stand (4)."""
    rope = config.section("rope_parameters")
    full = rope.section("full_attention") if rope else None
    if full is None or full.optional_text("rope_type") != "proportional":
        raise (full or config).wrong(("rope_type" if full else "rope_parameters",), "proportional for full_attention")
    share = full.number("partial_rotary_factor")
    if not 0 <= share <= 1:
        raise full.wrong(("partial_rotary_factor",), "a number from 0 to 1")
    n_turning = int(head_dim * share / 2)
    return (1.0,) * n_turning + (STANDS_STILL,) * (head_dim // 2 - n_turning)


def _metadata(
    config: Config, name: str, s: Sizes, full: Sizes, sliding: tuple[bool, ...], n_full: int, n_small: int
) -> dict[str, Value]:
    keys = dict(metadata(config, name))
    n_shared = config.integer("num_kv_shared_layers")
    keys[f"{name}.attention.shared_kv_layers"] = u32(n_shared)
    keys[f"{name}.embedding_length_per_layer_input"] = u32(n_small)
    keys[f"{name}.attention.sliding_window_pattern"] = flags(sliding)
    for part in ("key", "value"):
        keys[f"{name}.attention.{part}_length"] = u32(full.head_dim)
    for part in ("key", "value"):
        keys[f"{name}.attention.{part}_length_swa"] = u32(config.positive("head_dim"))
    if (n_ff := config.optional_integer("expert_intermediate_size", "moe_intermediate_size")) is not None:
        keys[f"{name}.expert_feed_forward_length"] = u32(n_ff)
    if config.flag("use_double_wide_mlp", default=False):
        widths = (s.n_ff if i < s.n_layer - n_shared else 2 * s.n_ff for i in range(s.n_layer))
        keys[f"{name}.feed_forward_length"] = array(ValueType.INT32, widths)
    if n_full and config.find("num_key_value_heads") is not None:
        heads = (s.n_head_kv if window else n_full for window in sliding)
        keys[f"{name}.attention.head_count_kv"] = array(ValueType.INT32, heads)
    rope = config.section("rope_parameters")
    share = rope.optional_number("partial_rotary_factor") if rope else None
    keys[f"{name}.rope.dimension_count"] = u32(full.head_dim)
    keys[f"{name}.rope.dimension_count_swa"] = u32(int(s.head_dim * (1.0 if share is None else share)))
    if name == "gemma4-assistant":
        keys[f"{name}.embedding_length_out"] = u32(config.positive("backbone_hidden_size"))
        keys[f"{name}.nextn_predict_layers"] = u32(s.n_layer)
    return keys
