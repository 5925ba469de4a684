"""Falcon-H1: attention and Mamba 2 side by side in every layer.

How the checkpoint differs from the GGUF layout:

1. The model multiplies what goes into and comes out of its parts by constants of the config; llama.cpp knows none of
   them, so they are multiplied into the weights: those of the attention's four matrices, of gate and down, of both ends,
   and of the mixer's two matrices, whose rows z, x, B, C and dt have one more factor each.
2. The mixer is that of Mamba 2: decay rates as minus exponentials, columns, kernels without their middle axis.
3. config.json is read as it stands: transformers' class does not count here.
4. Nothing is permuted, although attention is Llama's. The norm before the feed-forward has no `.weight` in its name.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/falcon_h1.py, conversion/mamba.py (Mamba2Model).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, feed_forward, linear, sizes
from ggufpress.arch.ops import Op, Scale, ScaleRows
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.ssm import Ssm, mamba2_mixer, ssm_metadata
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import f32, u32

CLASSES = ("FalconH1ForCausalLM",)
SINGLE = ("attention_in_multiplier", "attention_out_multiplier", "key_multiplier", "ssm_in_multiplier",
          "ssm_out_multiplier")  # fmt: skip


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Falcon-H1 model. Raises ConfigError for a config that does not make sense."""
    if config.find("hidden_act") not in (None, "silu"):
        raise UnsupportedError(f"{config.path}: llama.cpp's Falcon-H1 has no other activation than silu")
    head_dim = config.positive("head_dim")
    s = replace(sizes(config), n_head_kv=config.positive("num_key_value_heads"))
    ssm = Ssm(
        n_embd=s.n_embd,
        inner=config.positive("mamba_d_ssm"),
        state=config.positive("mamba_d_state"),
        kernel=config.positive("mamba_d_conv"),
        rank=config.positive("mamba_n_heads"),
        groups=config.positive("mamba_n_groups"),
    )
    if ssm.inner % config.positive("mamba_d_head") or ssm.inner % ssm.groups:
        raise config.wrong(("mamba_d_ssm",), "a multiple of mamba_d_head and of mamba_n_groups")
    name = "falcon-h1"
    metadata = [
        (f"{name}.context_length", u32(config.optional_integer("max_position_embeddings") or 0)),
        (f"{name}.embedding_length", u32(s.n_embd)),
        (f"{name}.feed_forward_length", u32(s.n_ff)),
        (f"{name}.attention.head_count", u32(s.n_head)),
        (f"{name}.block_count", u32(s.n_layer)),
        *ssm_metadata(ssm, name)[:3],
        (f"{name}.ssm.time_step_rank", u32(ssm.inner // config.positive("mamba_d_head"))),
        (f"{name}.ssm.group_count", u32(ssm.groups)),
        (f"{name}.attention.layer_norm_rms_epsilon", f32(config.optional_number("rms_norm_eps") or 1e-5)),
        (FILE_TYPE, u32(0)),
        (f"{name}.vocab_size", u32(s.n_vocab)),
        (f"{name}.attention.head_count_kv", u32(s.n_head_kv)),
        (f"{name}.attention.key_length", u32(head_dim)),
        (f"{name}.attention.value_length", u32(head_dim)),
        (f"{name}.rope.freq_base", f32(rope_parameters(config).number("rope_theta"))),
    ]
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=tuple(_scaled(rule, _factors(config, ssm)) for rule in _rules(s, ssm)),
    )


def _rules(s: Sizes, ssm: Ssm) -> tuple[Rule, ...]:
    hf = f"{LAYERS}.feed_forward"
    return (
        Rule("token_embd.weight", "model.embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
        *linear("output_norm", "model.final_layernorm", (s.n_embd,)),
        Rule("output.weight", "lm_head.weight", shape=(s.n_vocab, s.n_embd), required=False),
        *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
        *attention(s),
        *mamba2_mixer(ssm, f"{LAYERS}.mamba", norm_required=False),
        Rule(f"{BLK}.ffn_norm", f"{LAYERS}.pre_ff_layernorm.weight", shape=(s.n_embd,)),
        *feed_forward(s.n_embd, s.n_ff, hf),
    )


def _factors(config: Config, ssm: Ssm) -> dict[str, tuple[Op, ...]]:
    """The ops for a target, biases included, by the last part of its name (1)."""
    gate, down = _numbers(config, "mlp_multipliers", 2)
    into, out, key, ssm_in, ssm_out = (config.number(name) for name in SINGLE)
    state = ssm.groups * ssm.state
    parts = zip((ssm.inner, ssm.inner, state, state, ssm.rank), _numbers(config, "ssm_multipliers", 5), strict=True)
    runs = tuple(parts)
    return {
        "ffn_gate": _scale(gate),
        "ffn_down": _scale(down),
        "attn_q": _scale(into),
        "attn_k": (*_scale(key), *_scale(into)),
        "attn_v": _scale(into),
        "attn_output": _scale(out),
        "ssm_out": _scale(ssm_out),
        "ssm_in": (*_scale(ssm_in), *((ScaleRows(runs),) if any(factor != 1 for _, factor in runs) else ())),
        "output": _scale(config.number("lm_head_multiplier")),
        "token_embd": _scale(config.number("embedding_multiplier")),
    }


def _scale(factor: float) -> tuple[Op, ...]:
    return (Scale(factor),) if factor != 1 else ()


def _scaled(rule: Rule, factors: dict[str, tuple[Op, ...]]) -> Rule:
    ops = factors.get(rule.target.removeprefix(f"{BLK}.").rpartition(".")[0], ())
    return Rule(rule.target, rule.source, (*rule.ops, *ops), rule.shape, rule.required, gather=rule.gather)


def _numbers(config: Config, key: str, count: int) -> list[float]:
    values = config.find(key)
    if not isinstance(values, list) or len(values) != count:
        raise config.wrong((key,), f"a list of {count} numbers")
    return [Config({key: value}, config.path).number(key) for value in values]
