"""OpenELM.

How the checkpoint differs from the GGUF layout:

1. Layers differ in heads and in the width of their feed-forward, which is rounded to a multiple of ffn_dim_divisor.
2. q, k and v are one matrix; llama.cpp keeps it so. proj_1 holds gate and up, gate first.
3. The output matrix is the embedding.
4. A checkpoint brings no tokenizer: it uses Llama 2's, which has the first 32000 tokens of the one bundled here.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/openelm.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, MAX_LAYERS
from ggufpress.arch.gather import Regroup
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, ValueType, array, f32, u32

CLASSES = ("OpenELMForCausalLM",)


def describe(config: Config, hf_class: str) -> Arch:
    """The description of an OpenELM model. Raises ConfigError for a config that does not make sense."""
    n_layer = config.positive("num_transformer_layers")
    if n_layer > MAX_LAYERS:
        raise config.wrong(("num_transformer_layers",), f"at most {MAX_LAYERS}")
    n_embd, size, n_vocab = config.positive("model_dim"), config.positive("head_dim"), config.positive("vocab_size")
    n_head, n_head_kv = _per_layer(config, "num_query_heads", n_layer), _per_layer(config, "num_kv_heads", n_layer)
    n_ff = _widths(config, n_layer, n_embd)
    rules = [
        Rule("token_embd.weight", "transformer.token_embeddings.weight", shape=(n_vocab, n_embd)),
        Rule("output_norm.weight", "transformer.norm.weight", shape=(n_embd,)),
    ]
    for i in range(n_layer):
        rules += _layer(i, n_embd, size, n_head[i], n_head_kv[i], n_ff[i])
    return Arch(
        name="openelm",
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="openelm",
        metadata=(
            ("openelm.block_count", u32(n_layer)),
            ("openelm.context_length", u32(config.integer("max_context_length"))),
            ("openelm.embedding_length", u32(n_embd)),
            ("openelm.feed_forward_length", _integers(n_ff)),
            ("openelm.attention.head_count", _integers(n_head)),
            ("openelm.attention.head_count_kv", _integers(n_head_kv)),
            ("openelm.rope.freq_base", f32(config.number("rope_freq_constant"))),
            ("openelm.attention.layer_norm_rms_epsilon", f32(1e-6)),
            ("openelm.rope.dimension_count", u32(size)),
            ("openelm.attention.key_length", u32(size)),
            ("openelm.attention.value_length", u32(size)),
            (FILE_TYPE, u32(0)),
        ),
        rules=tuple(rules),
    )


def _layer(i: int, n_embd: int, size: int, n_head: int, n_head_kv: int, n_ff: int) -> Iterator[Rule]:
    hf, blk = f"transformer.layers.{i}", f"blk.{i}"
    for target, source, shape in (
        ("attn_norm", "attn_norm", (n_embd,)),
        ("ffn_norm", "ffn_norm", (n_embd,)),
        ("attn_q_norm", "attn.q_norm", (size,)),
        ("attn_k_norm", "attn.k_norm", (size,)),
        ("attn_qkv", "attn.qkv_proj", ((n_head + 2 * n_head_kv) * size, n_embd)),
        ("attn_output", "attn.out_proj", (n_embd, n_head * size)),
        ("ffn_down", "ffn.proj_2", (n_embd, n_ff)),
    ):
        yield Rule(f"{blk}.{target}.weight", f"{hf}.{source}.weight", shape=shape)
    for target, part in (("ffn_gate", (0, n_ff)), ("ffn_up", (n_ff, 2 * n_ff))):
        source = f"{hf}.ffn.proj_1.weight"
        yield Rule(f"{blk}.{target}.weight", source, (), (n_ff, n_embd), gather=Regroup(1, (part,)))


def _per_layer(config: Config, key: str, n_layer: int) -> tuple[int, ...]:
    values = config.find(key)
    if (
        not isinstance(values, list)
        or len(values) != n_layer
        or not all(type(x) is int and 0 < x < 1 << 31 for x in values)
    ):
        raise config.wrong((key,), f"a list of {n_layer} positive integers")
    return tuple(values)


def _widths(config: Config, n_layer: int, n_embd: int) -> tuple[int, ...]:
    multipliers, divisor = config.find("ffn_multipliers"), config.positive("ffn_dim_divisor")
    if (
        not isinstance(multipliers, list)
        or len(multipliers) != n_layer
        or not all(type(x) in (int, float) and 0 < x < 1e6 for x in multipliers)
    ):
        raise config.wrong(("ffn_multipliers",), f"a list of {n_layer} positive numbers")
    return tuple(_divisible(x * n_embd, divisor) for x in multipliers)


def _divisible(width: float, divisor: int) -> int:
    """The multiple of `divisor` that is nearest to `width`, but not below nine tenths of it."""
    nearest = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * width else nearest + divisor


def _integers(values: tuple[int, ...]) -> Value:
    return array(ValueType.INT32, values)
