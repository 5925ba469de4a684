"""LFM2, with and without experts: short convolutions with some attention layers between them.

How the checkpoint differs from the GGUF layout:

1. layer_types says which layers have attention; the number of key/value heads becomes a list with 0 for the others.
2. Kernels of convolutions lose their middle axis. The norm that ends the model is called that of the embedding.
3. The size of the feed-forward follows from three numbers of the config (block_auto_adjust_ff_dim).
4. The model with experts has num_dense_layers without them first; experts are stacked, gate, down and up as w1, w2 and w3.
5. Embedding models lack the prefix `model.`, look both ways (Lfm2BidirectionalModel) and say how they pool. A dense layer
   behind them stands in a folder 1_Dense.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/lfm2.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import GATING, block_count, decoder_metadata
from ggufpress.arch.experts import GATE_DOWN_UP, in_layers, router, score_bias, stacks
from ggufpress.arch.gather import Reshape
from ggufpress.arch.layers import BLK, Sizes, linear, sizes
from ggufpress.arch.spec import Arch, Beside, Drop, Rule
from ggufpress.gguf.values import Value, ValueType, array, f32, flag, u32

CLASSES = ("Lfm2ForCausalLM", "LFM2ForCausalLM", "Lfm2Model", "Lfm2BidirectionalModel", "Lfm2MoeForCausalLM")


def _derived(config: Config) -> Config:
    """What the class takes from the keys of the first checkpoints, and the kinds of layers where only numbers are given."""
    values = {
        key: config.find(old)
        for key, old in (("rope_theta", "theta"), ("intermediate_size", "block_ff_dim"))
        if config.find(old) is not None
    }
    if config.find("layer_types") is None:
        attending, n_layer = config.find("full_attn_idxs"), block_count(config)
        if attending is not None and not isinstance(attending, list):
            raise config.wrong(("full_attn_idxs",), "a list of layers")
        kinds = ["full_attention" if attending is None or i in attending else "conv" for i in range(n_layer)]
        values["layer_types"] = kinds
    return config.replace(**values)


# transformers 4.57.6, models/lfm2/configuration_lfm2.py
CONFIG_CLASSES = {
    "lfm2": ConfigClass(MODERN | {
        "vocab_size": 65536, "hidden_size": 2560, "intermediate_size": 12288, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 128000, "norm_eps": 1e-5,
        "rope_theta": 1000000.0, "conv_L_cache": 3, "block_multiple_of": 256, "block_ffn_dim_multiplier": 1.0,
        "block_auto_adjust_ff_dim": True, "layer_types": None,
    }, refuses=takes_any_rope, renames_type=False, fills_kv_heads=False, derives=_derived),
}  # fmt: skip

AUDIO_PARTS = ("depthformer.*", "depth_linear.*", "depth_embeddings.*", "codebook_offsets")
DENSE = Beside("dense_2.weight", "1_Dense/model.safetensors", "linear.weight", "lfm2.embedding_length_out")


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of an LFM2 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    moe = hf_class == "Lfm2MoeForCausalLM"
    bare = hf_class in ("Lfm2Model", "Lfm2BidirectionalModel")
    s = sizes(config)
    kinds = config.find("layer_types")
    if not isinstance(kinds, list) or len(kinds) != s.n_layer:
        raise config.wrong(("layer_types",), f"a list of {s.n_layer} kinds of layer")
    attending = [i for i, kind in enumerate(kinds) if (kind == "full_attention" if moe else kind != "conv")]
    n_expert = config.positive("num_local_experts", "num_experts") if moe else 0
    prefix = "" if bare else "model."
    name = "lfm2moe" if moe else "lfm2"
    keys = dict(decoder_metadata(config, name))
    keys[f"{name}.attention.head_count_kv"] = array(
        ValueType.INT32, (config.integer("num_key_value_heads") if i in attending else 0 for i in range(s.n_layer))
    )
    keys |= _sparse_keys(config) if moe else _dense_keys(config)
    if hf_class == "Lfm2BidirectionalModel":
        keys[f"{name}.attention.causal"] = flag(False)
    hf = f"{prefix}layers.{{i}}"
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(keys.items()),
        rules=(
            Rule("token_embd.weight", f"{prefix}embed_tokens.weight", shape=(s.n_vocab, s.n_embd)),
            *linear("token_embd_norm", f"{prefix}embedding_norm", (s.n_embd,)),
            Rule("output.weight", "lm_head.weight", shape=(s.n_vocab, s.n_embd), required=False),
            *linear(f"{BLK}.attn_norm", f"{hf}.operator_norm", (s.n_embd,)),
            *in_layers(attending, *_attention(s, f"{hf}.self_attn")),
            *in_layers(
                [i for i in range(s.n_layer) if i not in attending],
                *_convolution(s.n_embd, config.positive("conv_L_cache"), f"{hf}.conv"),
            ),
            *linear(f"{BLK}.ffn_norm", f"{hf}.ffn_norm", (s.n_embd,)),
            *(_sparse(config, s, n_expert) if moe else _dense(s.n_embd, adjusted(config), f"{hf}.feed_forward")),
        ),
        pooled=bare,
        prefixes=(("lfm.", "model."),),
        drops=tuple(Drop(part, "it belongs to the audio part") for part in AUDIO_PARTS),
        beside=(DENSE,) if bare else (),
    )


def adjusted(config: Config) -> int:
    """The size of the feed-forward (3)."""
    n_ff = config.positive("block_ff_dim", "intermediate_size")
    factor, multiple = config.optional_number("block_ffn_dim_multiplier"), config.positive("block_multiple_of")
    if not config.flag("block_auto_adjust_ff_dim", default=False):
        return n_ff
    n_ff = int(2 * n_ff / 3)
    if factor is not None:
        n_ff = int(factor * n_ff)
    return multiple * ((n_ff + multiple - 1) // multiple)


def _dense_keys(config: Config) -> dict[str, Value]:
    return {
        "lfm2.vocab_size": u32(config.positive("vocab_size")),
        "lfm2.shortconv.l_cache": u32(config.positive("conv_L_cache")),
        "lfm2.attention.layer_norm_rms_epsilon": f32(config.number("norm_eps")),
        "lfm2.feed_forward_length": u32(adjusted(config)),
    }


def _sparse_keys(config: Config) -> dict[str, Value]:
    return {
        "lfm2moe.expert_feed_forward_length": u32(config.positive("moe_intermediate_size")),
        "lfm2moe.leading_dense_block_count": u32(config.integer("num_dense_layers")),
        "lfm2moe.expert_gating_func": u32(GATING["sigmoid"]),
        "lfm2moe.vocab_size": u32(config.positive("vocab_size")),
        "lfm2moe.shortconv.l_cache": u32(config.positive("conv_L_cache")),
    }


def _attention(s: Sizes, hf: str) -> tuple[Rule, ...]:
    return (
        *linear(f"{BLK}.attn_q", f"{hf}.q_proj", (s.rows_q, s.n_embd)),
        *linear(f"{BLK}.attn_k", f"{hf}.k_proj", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_v", f"{hf}.v_proj", (s.rows_kv, s.n_embd)),
        *linear(f"{BLK}.attn_output", f"{hf}.out_proj", (s.n_embd, s.rows_q)),
        *linear(f"{BLK}.attn_q_norm", f"{hf}.q_layernorm", (s.head_dim,)),
        *linear(f"{BLK}.attn_k_norm", f"{hf}.k_layernorm", (s.head_dim,)),
    )


def _convolution(n_embd: int, kernel: int, hf: str) -> tuple[Rule, ...]:
    shape = (n_embd, kernel)
    return (
        *linear(f"{BLK}.shortconv.in_proj", f"{hf}.in_proj", (3 * n_embd, n_embd)),
        Rule(f"{BLK}.shortconv.conv.weight", f"{hf}.conv.weight", shape=shape, gather=Reshape(shape)),
        *linear(f"{BLK}.shortconv.out_proj", f"{hf}.out_proj", (n_embd, n_embd)),
    )


def _dense(n_embd: int, n_ff: int, hf: str) -> tuple[Rule, ...]:
    return (
        *linear(f"{BLK}.ffn_gate", f"{hf}.w1", (n_ff, n_embd)),
        *linear(f"{BLK}.ffn_down", f"{hf}.w2", (n_embd, n_ff)),
        *linear(f"{BLK}.ffn_up", f"{hf}.w3", (n_ff, n_embd)),
    )


def _sparse(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    """Dense layers and those with experts (4)."""
    n_dense, hf = min(config.integer("num_dense_layers"), s.n_layer), "model.layers.{i}.feed_forward"
    return (
        *in_layers(range(n_dense), *_dense(s.n_embd, s.n_ff, hf)),
        *in_layers(
            range(n_dense, s.n_layer),
            router(n_expert, s.n_embd, f"{hf}.gate"),
            score_bias(n_expert, f"{hf}.expert_bias"),
            *stacks(n_expert, config.positive("moe_intermediate_size"), s.n_embd, f"{hf}.experts", GATE_DOWN_UP),
        ),
    )
