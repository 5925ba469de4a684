"""DeciLM, and the Nemotrons that were cut out of Llama 3 (51B, 253B).

How the checkpoint differs from the GGUF layout:

1. The rows of q and k are permuted per head, and Llama 3's rope scaling becomes a tensor, as Llama's.
2. Layers differ: in DeciLM-7B in their keys (num_key_value_heads_per_layer), in the Nemotrons in all (block_configs): attention,
   a matrix in its place, or none, and a feed-forward of some width or none.
3. The tokenizer is byte-level BPE for a vocabulary of 128256, else SentencePiece read from tokenizer.json.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/deci.py. transformers 4.57.6 has no class for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import FILE_TYPE, decoder_metadata
from ggufpress.arch.layers import BLK, Sizes, attention, computed_frequencies, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.rope import llama3_factors, rope_parameters
from ggufpress.arch.spec import LAYER, Arch, Constant, Rule
from ggufpress.gguf.values import Value, ValueType, array, f32, u32

CLASSES = ("DeciLMForCausalLM",)
MULTIPLE = 256


@dataclass(frozen=True, slots=True)
class Block:
    """What one layer has: no key and no head without attention, no key but heads where a matrix stands in its place."""

    n_head: int
    n_head_kv: int
    n_ff: int


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a DeciLM model. Raises ConfigError for a config that does not make sense."""
    blocks = config.find("block_configs")
    s = sizes(config if blocks is None else config.with_defaults({"intermediate_size": 1}))
    metadata: list[tuple[str, Value]]
    if blocks is not None:
        layers = _blocks(config, s)
        metadata = _metadata(config, s, layers)
    else:
        n_head_kv = _keys_per_layer(config, s)
        layers = [Block(s.n_head, n, s.n_ff) for n in n_head_kv]
        metadata = decoder_metadata(config, "deci")
        if "num_key_value_heads_per_layer" in config.values:
            metadata.append(("deci.attention.head_count_kv", array(ValueType.INT32, n_head_kv)))
    metadata += [("deci.vocab_size", u32(s.n_vocab)), ("deci.rope.dimension_count", u32(s.head_dim))]
    factors = llama3_factors(config, s.head_dim)
    rules = list(ends(s))
    for i, block in enumerate(layers):
        rules += (
            replace(rule, target=rule.target.replace(LAYER, str(i)), source=rule.source.replace(LAYER, str(i)))
            for rule in _layer(s, block)
        )
    return Arch(
        name="deci",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=0,
        n_vocab=s.n_vocab,
        vocab="bpe" if s.n_vocab == 128256 else "spm-json",
        metadata=tuple(metadata),
        rules=tuple(rules),
        drops=computed_frequencies(),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
    )


def _layer(s: Sizes, block: Block) -> Iterator[Rule]:
    before, behind = norms(s)[:2], norms(s)[2:]
    if block.n_head:
        yield from before
    if block.n_head_kv:
        yield from attention(replace(s, n_head=block.n_head, n_head_kv=block.n_head_kv), permuted=True)
    elif block.n_head:
        yield from linear(f"{BLK}.attn_output", f"model.layers.{LAYER}.self_attn.linear_attn", (s.n_embd, s.n_embd))
    if block.n_ff:
        yield from behind
        yield from feed_forward(s.n_embd, block.n_ff)


def _blocks(config: Config, s: Sizes) -> list[Block]:
    blocks = config.find("block_configs")
    if not isinstance(blocks, list) or len(blocks) != s.n_layer or not all(isinstance(b, dict) for b in blocks):
        raise config.wrong(("block_configs",), f"a list of {s.n_layer} objects")
    return [_block(Config(block, f"{config.path}: block_configs[{i}]"), s) for i, block in enumerate(blocks)]


def _block(config: Config, s: Sizes) -> Block:
    attention_part, feed_forward_part = config.section("attention"), config.section("ffn")
    if attention_part is None or feed_forward_part is None:
        raise config.wrong(("attention" if attention_part is None else "ffn",), "an object")
    heads = n_head_kv = 0
    if attention_part.find("n_heads_in_group") is not None:
        heads, n_head_kv = s.n_head, s.n_head // attention_part.positive("n_heads_in_group")
    elif attention_part.flag("replace_with_linear", False):
        heads = s.n_head
    multiplier = feed_forward_part.optional_number("ffn_mult") or 0.0
    width = int(2 * multiplier * s.n_embd / 3)
    return Block(heads, n_head_kv, -(-width // MULTIPLE) * MULTIPLE)


def _keys_per_layer(config: Config, s: Sizes) -> tuple[int, ...]:
    if "num_key_value_heads_per_layer" not in config.values:
        return (s.n_head_kv,) * s.n_layer
    values = config.find("num_key_value_heads_per_layer")
    if (
        not isinstance(values, list)
        or len(values) != s.n_layer
        or not all(type(x) is int and 0 < x < 1 << 20 for x in values)
    ):
        raise config.wrong(("num_key_value_heads_per_layer",), f"a list of {s.n_layer} positive integers")
    return tuple(values)


def _metadata(config: Config, s: Sizes, layers: list[Block]) -> list[tuple[str, Value]]:
    theta = rope_parameters(config).optional_number("rope_theta")
    size = u32(s.n_embd // s.n_head)
    return [
        *((("deci.rope.freq_base", f32(theta)),) if theta is not None else ()),
        ("deci.attention.head_count_kv", array(ValueType.INT32, [block.n_head_kv for block in layers])),
        ("deci.attention.head_count", array(ValueType.INT32, [block.n_head for block in layers])),
        ("deci.feed_forward_length", array(ValueType.INT32, [block.n_ff for block in layers])),
        ("deci.block_count", u32(s.n_layer)),
        ("deci.context_length", u32(config.integer("max_position_embeddings"))),
        ("deci.embedding_length", u32(s.n_embd)),
        ("deci.attention.layer_norm_rms_epsilon", f32(config.number("rms_norm_eps"))),
        ("deci.attention.key_length", size),
        ("deci.attention.value_length", size),
        (FILE_TYPE, u32(0)),
    ]
