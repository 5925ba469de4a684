"""RWKV 7 (Goose), and Qwen with its layers instead of attention (ARWKV).

How the checkpoint differs from the GGUF layout:

1. Checkpoints of flash-linear-attention have low-rank parts as small networks (w_lora.lora.0, ...); others have matrices
   (w1, w2), which are transposed. The layers and their parts have several names, which the checkpoint itself shows.
2. The vectors that mix a token with the one before are one tensor, those of r, w, k, v, a and g (without a gate no g), or
   are stored so (x_x). Other vectors lose their axes of length 1; r_k becomes one vector.
3. The first layer has no use for v0, v1 and v2: they are left out where they are there, and a0, a1 and a2 stand for them.
4. Numbers for the ranks that config.json leaves null follow from the width of the model; those of ARWKV are fixed.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/rwkv.py (Rwkv7Model, ARwkv7Model).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, block_count
from ggufpress.arch.experts import in_layers
from ggufpress.arch.families.mamba import CONTEXT
from ggufpress.arch.gather import Reshape, Transpose
from ggufpress.arch.layers import BLK, LAYERS, feed_forward, linear
from ggufpress.arch.spec import LAYER, Arch, Drop, Rule
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, f32, u32

CLASSES = ("Rwkv7ForCausalLM", "RWKV7ForCausalLM", "RwkvHybridForCausalLM")
MIXED = ("r", "w", "k", "v", "a", "g")
MIX = f"{BLK}.time_mix"

# lora rank: the keys that may hold it, and exponent and factor for one that is null
RANKS = (
    ("decay", ("lora_rank_decay", "decay_low_rank_dim"), 0.5, 1.8),
    ("iclr", ("lora_rank_iclr", "a_low_rank_dim"), 0.5, 1.8),
    ("value_residual_mix", ("lora_rank_value_residual_mix", "v_low_rank_dim"), 0.5, 1.3),
    ("gate", ("lora_rank_gate", "gate_low_rank_dim"), 0.8, 0.6),
)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a model with layers of RWKV 7. Raises ConfigError for a config that does not make sense."""
    hybrid = hf_class == "RwkvHybridForCausalLM"
    name = "arwkv7" if hybrid else "rwkv7"
    n_layer, n_embd = block_count(config), config.positive("hidden_size")
    n_vocab = config.with_defaults({} if hybrid else {"vocab_size": 1 << 16}).positive("vocab_size")
    n_ff = config.optional_integer("intermediate_size") or 4 * n_embd
    gated = config.flag("wkv_has_gate", default=True)
    layers = "model.blocks.{i}" if any(tensor.startswith("model.blocks.") for tensor in config.tensors) else LAYERS
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="spm-or-bpe" if hybrid else "rwkv",
        metadata=tuple(_hybrid_metadata(config, n_ff) if hybrid else _metadata(config, n_ff)),
        rules=(
            Rule(
                "token_embd.weight",
                f"model.{'embed_tokens' if hybrid else 'embeddings'}.weight",
                shape=(n_vocab, n_embd),
            ),
            *linear("output_norm", "model.norm", (n_embd,)),
            Rule("output.weight", "lm_head.weight", shape=(n_vocab, n_embd), required=False),
            *(_hybrid_layer(n_embd, n_ff, layers) if hybrid else _layer(n_embd, n_ff, layers, config.tensors)),
            *_time_mix(config, n_layer, n_embd, layers, gated),
        ),
        drops=_unused(config.tensors, layers),
    )


def _metadata(config: Config, n_ff: int) -> list[tuple[str, Value]]:
    older = "head_size" in config.values and "layer_norm_epsilon" in config.values
    n_embd = config.positive("hidden_size")
    epsilon = config.number("layer_norm_epsilon" if older else "norm_eps")
    ranks = [
        (f"rwkv7.attention.{rank}_lora_rank", u32(_rank(config, keys, exponent, factor)))
        for rank, keys, exponent, factor in RANKS
    ]
    return [
        ("rwkv7.context_length", u32(CONTEXT)),
        ("rwkv7.embedding_length", u32(n_embd)),
        ("rwkv7.block_count", u32(block_count(config))),
        ("rwkv7.attention.layer_norm_epsilon", f32(epsilon)),
        ("rwkv7.wkv.head_size", u32(config.positive("head_size" if older else "head_dim"))),
        *ranks,
        ("rwkv7.feed_forward_length", u32(n_ff)),
        (FILE_TYPE, u32(0)),
        ("rwkv7.attention.head_count", u32(0)),
    ]


def _rank(config: Config, keys: tuple[str, ...], exponent: float, factor: float) -> int:
    if (stated := config.optional_integer(*keys)) is not None:
        return stated
    if not any(key in config.values for key in keys):
        raise config.wrong(keys, "a rank or null")
    width: float = config.positive("hidden_size") ** exponent
    return max(1, round(width * factor / 32)) * 32


def _hybrid_metadata(config: Config, n_ff: int) -> list[tuple[str, Value]]:
    if config.find("wkv_version") != 7:
        raise UnsupportedError(f"{config.path}: llama.cpp knows hybrids of RWKV 7 alone, wkv_version must be 7")
    gated = config.flag("wkv_has_gate", default=True)
    ranks = {"decay": 64, "iclr": 64, "value_residual_mix": 32, "gate": 128 if gated else 0}
    return [
        ("arwkv7.context_length", u32(CONTEXT)),
        ("arwkv7.embedding_length", u32(config.positive("hidden_size"))),
        ("arwkv7.block_count", u32(block_count(config))),
        ("arwkv7.attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps"))),
        ("arwkv7.wkv.head_size", u32(config.positive("head_size"))),
        *((f"arwkv7.attention.{rank}_lora_rank", u32(size)) for rank, size in ranks.items()),
        ("arwkv7.feed_forward_length", u32(n_ff)),
        (FILE_TYPE, u32(0)),
        ("arwkv7.token_shift_count", u32(1)),
        ("arwkv7.attention.head_count", u32(0)),
    ]


def _hybrid_layer(n_embd: int, n_ff: int, layers: str) -> tuple[Rule, ...]:
    return (
        *linear(f"{BLK}.attn_norm", f"{layers}.input_layernorm", (n_embd,)),
        *linear(f"{BLK}.ffn_norm", f"{layers}.post_attention_layernorm", (n_embd,)),
        *feed_forward(n_embd, n_ff, f"{layers}.mlp"),
    )


def _layer(n_embd: int, n_ff: int, layers: str, names: Collection[str]) -> tuple[Rule, ...]:
    """Norms, the one behind the embedding included, and what mixes channels."""
    first = layers.replace(LAYER, "0")
    channel = f"{layers}.{_present(names, first, ('ffn', 'feed_forward'), '.key.weight')}"
    before = _present(names, first, ("attn_norm", "attention_norm", "ln1"), ".weight")
    behind = _present(names, first, ("ffn_norm", "feed_forward_norm", "ln2"), ".weight")
    blk = f"{BLK}.channel_mix"
    return (
        *linear("token_embd_norm", f"{first}.pre_norm", (n_embd,)),
        *linear(f"{BLK}.attn_norm", f"{layers}.{before}", (n_embd,)),
        *linear(f"{BLK}.attn_norm_2", f"{layers}.{behind}", (n_embd,)),
        _vector(f"{blk}_lerp_k.weight", f"{channel}.x_k", n_embd),
        *linear(f"{blk}_key", f"{channel}.key", (n_ff, n_embd)),
        *linear(f"{blk}_value", f"{channel}.value", (n_embd, n_ff)),
    )


def _present(names: Collection[str], hf: str, choices: tuple[str, ...], end: str) -> str:
    """The one of `choices` that the checkpoint has under `hf`, the first where it has none."""
    return next((choice for choice in choices if f"{hf}.{choice}{end}" in names), choices[0])


def _attention(names: Collection[str], layers: str) -> str:
    """Where the tensors of a layer's time mixing stand (1)."""
    choices = tuple(f"{part}{inner}" for part in ("attn", "attention", "self_attn") for inner in ("", ".time_mixer"))
    return f"{layers}.{_present(names, layers.replace(LAYER, '0'), choices, '.r_k')}"


def _time_mix(config: Config, n_layer: int, n_embd: int, layers: str, gated: bool) -> tuple[Rule, ...]:
    names, hf = config.tensors, _attention(config.tensors, layers)
    first = hf.replace(LAYER, "0")
    mixed = MIXED if gated else MIXED[:-1]
    fused: tuple[int, ...] = (len(mixed), 1, 1, n_embd)
    rules: list[Rule] = []
    if f"{first}.x_x" in names:
        rules.append(Rule(f"{MIX}_lerp_fused.weight", f"{hf}.x_x", shape=fused, gather=Reshape(fused)))
    else:
        rules.append(Rule(f"{MIX}_lerp_fused.weight", f"{hf}.x_{{e}}", stack=mixed))
    for target, choices in (
        ("receptance", ("r_proj", "receptance")),
        ("key", ("k_proj", "key")),
        ("value", ("v_proj", "value")),
        ("output", ("o_proj", "output")),
    ):
        rules += linear(f"{MIX}_{target}", f"{hf}.{_present(names, first, choices, '.weight')}", (n_embd, n_embd))
    for vector in ("k_k", "k_a", "r_k"):
        rules.append(_vector(f"{MIX}_{vector}.weight", f"{hf}.{vector}", n_embd))
    last = _present(names, first, ("g_norm", "ln_x"), ".weight")
    rules += linear(f"{MIX}_ln", f"{hf}.{last}", (n_embd,), required=False)
    small = f"{first}.w_lora.lora.0.weight" in names
    for part in ("w", "a", "g"):
        if part != "g" or gated:
            rules += _low_rank(part, part, hf, n_embd, small)
    # in the first layer a stands for v too, and is written after it
    stand_ins = [replace(rule, repeats=True, layers=(0,)) for rule in _low_rank("v", "a", hf, n_embd, small)]
    return (*stand_ins, *rules, *in_layers(range(1, n_layer), *_low_rank("v", "v", hf, n_embd, small)))


def _low_rank(target: str, part: str, hf: str, n_embd: int, small: bool) -> list[Rule]:
    """A vector and two matrices, of small networks or as they are (1); g has no vector."""
    if small:
        inner = f"{hf}.{part}_lora.lora"
        rules = [Rule(f"{MIX}_{target}{i + 1}.weight", f"{inner}.{2 * i}.weight") for i in range(2)]
        vector = f"{inner}.2.bias"
    else:
        rules = [Rule(f"{MIX}_{target}{i}.weight", f"{hf}.{part}{i}", gather=Transpose()) for i in (1, 2)]
        vector = f"{hf}.{part}0"
    return rules if part == "g" else [_vector(f"{MIX}_{target}0.weight", vector, n_embd), *rules]


def _vector(target: str, source: str, size: int) -> Rule:
    return Rule(target, source, shape=(size,), gather=Reshape((size,)))


def _unused(names: Collection[str], layers: str) -> tuple[Drop, ...]:
    """What the first layer has and does not use (3)."""
    hf = _attention(names, layers).replace(LAYER, "0")
    ends = ("v0", "v1", "v2", "v_lora.lora.0.weight", "v_lora.lora.2.weight", "v_lora.lora.2.bias")
    return tuple(Drop(f"{hf}.{end}", "the first layer does not use it") for end in ends)
