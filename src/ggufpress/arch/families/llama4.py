"""Llama 4, the text part.

How the checkpoint differs from the GGUF layout:

1. Nothing is permuted, unlike in Llama.
2. Every interleave_moe_layer_step-th layer has experts: stored stacked and transposed, gate and up in one tensor, gate
   first. The others have a feed-forward of intermediate_size_mlp; intermediate_size is that of an expert.
3. The sliding window is written where it is none, for layers that all attend fully; otherwise llama.cpp knows it.
4. Llama 3's rope scaling becomes a tensor of frequency divisors, rope_freqs.weight.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/llama.py (Llama4Model).
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class, takes_any_rope
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import in_layers, router
from ggufpress.arch.gather import Columns, Transpose
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.rope import llama3_factors
from ggufpress.arch.spec import Arch, Constant, Rule
from ggufpress.gguf.values import u32

CLASSES = ("Llama4ForCausalLM", "Llama4ForConditionalGeneration")


def _derived(config: Config) -> Config:
    """The kinds of layers that Llama4TextConfig computes."""
    n_layer = config.positive("num_hidden_layers")
    config = config.with_defaults(
        {"head_dim": config.positive("hidden_size") // config.positive("num_attention_heads")}
    )
    if config.find("layer_types") is not None:
        return config
    interval = config.positive("no_rope_layer_interval")
    rotated = config.find("no_rope_layers") or [(i + 1) % interval for i in range(n_layer)]
    if not isinstance(rotated, list):
        raise config.wrong(("no_rope_layers",), "a list of zeros and ones")
    return config.replace(layer_types=["chunked_attention" if flag else "full_attention" for flag in rotated])


# transformers 4.57.6, models/llama4/configuration_llama4.py
CONFIG_CLASSES = {
    "llama4_text": ConfigClass({
        "vocab_size": 202048, "hidden_size": 5120, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
        "num_hidden_layers": 48, "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128,
        "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000, "num_experts_per_tok": 1,
        "num_local_experts": 16, "interleave_moe_layer_step": 1, "no_rope_layer_interval": 4, "rope_scaling": None,
        "tie_word_embeddings": False,
    }, refuses=takes_any_rope, renames_type=False, fills_head_dim=True, derives=_derived),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Llama 4 model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    n_ff_exp, n_ff = config.positive("intermediate_size"), config.positive("intermediate_size_mlp")
    config = config.replace(intermediate_size=n_ff)
    s = sizes(config)
    n_expert, step = config.optional_integer("num_local_experts") or 0, config.integer("interleave_moe_layer_step")
    sparse = range(step - 1, s.n_layer, step) if n_expert and step else range(0)
    dense = [i for i in range(s.n_layer) if i not in sparse]
    metadata = [
        *decoder_metadata(config, "llama4"),
        ("llama4.vocab_size", u32(s.n_vocab)),
        ("llama4.rope.dimension_count", u32(s.head_dim)),
        ("llama4.interleave_moe_layer_step", u32(step)),
        ("llama4.expert_feed_forward_length", u32(n_ff_exp)),
    ]
    kinds = config.find("layer_types")
    if kinds is not None and not isinstance(kinds, list):
        raise config.wrong(("layer_types",), "a list of kinds of attention")
    if "layer_types" in config.values and all(kind == "full_attention" for kind in kinds or ()):
        metadata.append(("llama4.attention.sliding_window", u32(0)))
    factors = llama3_factors(config, s.head_dim)
    return Arch(
        name="llama4",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *in_layers(tuple(dense), *feed_forward(s.n_embd, s.n_ff, f"{LAYERS}.feed_forward")),
            *in_layers(sparse, *_experts(replace(s, n_ff=n_ff_exp), n_expert)),
        ),
        drops=computed_frequencies(),
        constants=(Constant("rope_freqs.weight", factors),) if factors else (),
    )


def _experts(s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    hf = f"{LAYERS}.feed_forward"
    both, shape = f"{hf}.experts.gate_up_proj", (n_expert, s.n_ff, s.n_embd)
    down = (n_expert, s.n_embd, s.n_ff)
    gate, up = Transpose(Columns(0, s.n_ff)), Transpose(Columns(s.n_ff, 2 * s.n_ff))
    return (
        router(n_expert, s.n_embd, f"{hf}.router"),
        Rule(f"{BLK}.ffn_gate_exps.weight", both, shape=shape, gather=gate),
        Rule(f"{BLK}.ffn_up_exps.weight", both, shape=shape, gather=up),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.experts.down_proj", shape=down, gather=Transpose()),
        *feed_forward(s.n_embd, s.n_ff, f"{hf}.shared_expert", "_shexp"),
    )
