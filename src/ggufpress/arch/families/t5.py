"""T5, MT5, UMT5, and the encoder of T5 alone.

How the checkpoint differs from the GGUF layout:

1. The token embedding may be stored under three names; the first in the file counts, for encoder and decoder.
2. Relative positions are a table of the first layer, in UMT5 of every layer.
3. The feed-forward has a gate (wi_0) and wi_1, or wi alone. A tied output matrix is not stored.
4. The context length is n_positions, 512 where the config has none.
5. A config without decoder_start_token_id, at which the reference fails, starts the decoder with padding, as T5 does.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/t5.py; transformers 4.57.6, models/{t5,mt5,umt5}/configuration_*.py.
"""

from __future__ import annotations

from typing import Any

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import read_through_class
from ggufpress.arch.decoder import FILE_TYPE, LAYER_KEYS, MAX_LAYERS, block_count
from ggufpress.arch.encoders import encoder_class
from ggufpress.arch.layers import linear
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, f32, u32

WHOLE = ("T5ForConditionalGeneration", "T5WithLMHeadModel", "MT5ForConditionalGeneration", "UMT5ForConditionalGeneration",
         "UMT5Model")  # fmt: skip
CLASSES = (*WHOLE, "T5EncoderModel")

_DEFAULTS: dict[str, Any] = {
    "vocab_size": 250112, "d_model": 512, "d_kv": 64, "d_ff": 1024, "num_layers": 8, "num_heads": 6,
    "relative_attention_num_buckets": 32, "layer_norm_epsilon": 1e-6, "decoder_start_token_id": 0, "pad_token_id": 0,
}  # fmt: skip
_T5: dict[str, Any] = {
    "vocab_size": 32128, "d_ff": 2048, "num_layers": 6, "num_heads": 8, "decoder_start_token_id": None,
}  # fmt: skip
CONFIG_CLASSES = {
    "t5": encoder_class(_DEFAULTS | _T5),
    "mt5": encoder_class(_DEFAULTS),
    "umt5": encoder_class(_DEFAULTS),
}
DEFAULT_CONTEXT = 512


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a T5 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    if config is not raw and config.find("num_decoder_layers") is None:
        config = config.replace(num_decoder_layers=config.find("num_layers"))
    name = "t5" if hf_class in WHOLE else "t5encoder"
    n_layer, n_vocab = block_count(config), config.positive("vocab_size")
    n_embd = config.positive("d_model")
    rules = [
        Rule("token_embd.weight", "shared.weight", shape=(n_vocab, n_embd),
             copies=("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")),
        *linear("output", "lm_head", (n_vocab, n_embd), required=False),
        *_stack(config, "enc", "encoder", n_layer),
    ]  # fmt: skip
    if name == "t5":
        n_decoder = config.optional_integer("num_decoder_layers")
        if n_decoder is not None and not 0 < n_decoder <= MAX_LAYERS:
            raise config.wrong(("num_decoder_layers",), f"1 to {MAX_LAYERS} layers")
        rules += _stack(config, "dec", "decoder", n_layer if n_decoder is None else n_decoder)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=0,
        n_vocab=n_vocab,
        vocab="t5",
        metadata=tuple(_metadata(config, name)),
        rules=tuple(rules),
    )


def _metadata(config: Config, name: str) -> list[tuple[str, Value]]:
    context = config.optional_integer("n_positions")
    epsilon = f32(config.number("layer_norm_epsilon"))
    keys = {
        "context_length": u32(DEFAULT_CONTEXT if context is None else context),
        "embedding_length": u32(config.positive("d_model")),
        "feed_forward_length": u32(config.positive("d_ff")),
        "block_count": u32(config.positive(*LAYER_KEYS)),
        "decoder_block_count": u32(config.optional_integer("num_decoder_layers") or 0),
        "attention.head_count": u32(config.positive("num_heads")),
        "attention.key_length": u32(config.positive("d_kv")),
        "attention.value_length": u32(config.positive("d_kv")),
        "attention.layer_norm_epsilon": epsilon,
        "attention.relative_buckets_count": u32(config.positive("relative_attention_num_buckets")),
        "attention.layer_norm_rms_epsilon": epsilon,
        "decoder_start_token_id": u32(_first_of_decoder(config)),
    }
    if name != "t5" or config.find("num_decoder_layers") is None:
        del keys["decoder_block_count"]
    if name != "t5":
        del keys["decoder_start_token_id"]
    return [*((f"{name}.{key}", value) for key, value in keys.items()), (FILE_TYPE, u32(0))]


def _first_of_decoder(config: Config) -> int:
    stated = config.optional_integer("decoder_start_token_id")
    return stated if stated is not None else config.optional_integer("pad_token_id") or 0


def _stack(config: Config, side: str, hf_side: str, n_layer: int) -> list[Rule]:
    """The rules of encoder or decoder, layer by layer: the decoder may have another number of layers."""
    n_embd, n_ff = config.positive("d_model"), config.positive("d_ff")
    rows = config.positive("num_heads") * config.positive("d_kv")
    bias = (config.positive("relative_attention_num_buckets"), config.positive("num_heads"))
    parts = {"attn": "layer.0.SelfAttention"}
    norms = {"attn_norm": "layer.0", "ffn_norm": "layer.1"}
    dense = "layer.1.DenseReluDense"
    if side == "dec":
        parts["cross_attn"] = "layer.1.EncDecAttention"
        norms = {"attn_norm": "layer.0", "cross_attn_norm": "layer.1", "ffn_norm": "layer.2"}
        dense = "layer.2.DenseReluDense"
    rules: list[Rule] = [Rule(f"{side}.output_norm.weight", f"{hf_side}.final_layer_norm.weight", shape=(n_embd,))]
    for i in range(n_layer):
        blk, hf = f"{side}.blk.{i}", f"{hf_side}.block.{i}"
        for part, source in parts.items():
            for letter in "qkvo":
                shape = (n_embd, rows) if letter == "o" else (rows, n_embd)
                rules.append(Rule(f"{blk}.{part}_{letter}.weight", f"{hf}.{source}.{letter}.weight", shape=shape))
            rules.append(Rule(f"{blk}.{part}_rel_b.weight", f"{hf}.{source}.relative_attention_bias.weight", shape=bias,
                              required=False))  # fmt: skip
        rules += [
            Rule(f"{blk}.{norm}.weight", f"{hf}.{source}.layer_norm.weight", shape=(n_embd,))
            for norm, source in norms.items()
        ]
        rules += [
            Rule(f"{blk}.ffn_gate.weight", f"{hf}.{dense}.wi_0.weight", shape=(n_ff, n_embd), required=False),
            Rule(f"{blk}.ffn_up.weight", f"{hf}.{dense}.wi_1.weight", shape=(n_ff, n_embd), required=False),
            Rule(f"{blk}.ffn_up.weight", f"{hf}.{dense}.wi.weight", shape=(n_ff, n_embd), required=False),
            Rule(f"{blk}.ffn_down.weight", f"{hf}.{dense}.wo.weight", shape=(n_embd, n_ff)),
        ]
    return rules
