"""gpt-oss, stored in BF16 or wider.

How the checkpoint differs from the GGUF layout:

1. The experts are stored stacked and transposed; gate and up are one tensor, in turns: gate first. So are their biases.
2. The sinks of attention are a vector per layer, one number for each head.
3. The weights that OpenAI published are MXFP4: those are another matter.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/gpt_oss.py.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import router
from ggufpress.arch.gather import Columns, Transpose
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, linear, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import u32

CLASSES = ("GptOssForCausalLM",)

# transformers 4.57.6, models/gpt_oss/configuration_gpt_oss.py
CONFIG_CLASSES = {
    "gpt_oss": ConfigClass({
        "num_hidden_layers": 36, "num_local_experts": 128, "vocab_size": 201088, "hidden_size": 2880,
        "intermediate_size": 2880, "head_dim": 64, "num_attention_heads": 64, "num_key_value_heads": 8,
        "sliding_window": 128, "rope_theta": 150000.0, "tie_word_embeddings": False, "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5, "num_experts_per_tok": 4,
        "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False,
                         "original_max_position_embeddings": 4096},
    }, fills_head_dim=True),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a gpt-oss model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    n_expert = config.positive("num_local_experts", "num_experts")
    return Arch(
        name="gpt-oss",
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=(
            *decoder_metadata(config, "gpt-oss"),
            ("gpt-oss.attention.sliding_window", u32(config.integer("sliding_window"))),
            ("gpt-oss.expert_feed_forward_length", u32(s.n_ff)),
        ),
        rules=(
            *ends(s),
            *linear(f"{BLK}.attn_norm", f"{LAYERS}.input_layernorm", (s.n_embd,)),
            *linear(f"{BLK}.post_attention_norm", f"{LAYERS}.post_attention_layernorm", (s.n_embd,)),
            *attention(s),
            Rule(f"{BLK}.attn_sinks.weight", f"{LAYERS}.self_attn.sinks", shape=(s.n_head,)),
            *_experts(s, n_expert),
        ),
    )


def _experts(s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    hf = f"{LAYERS}.mlp.experts"
    rules = [
        router(n_expert, s.n_embd, f"{LAYERS}.mlp.router"),
        Rule(f"{BLK}.ffn_gate_inp.bias", f"{LAYERS}.mlp.router.bias", shape=(n_expert,)),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.down_proj", shape=(n_expert, s.n_embd, s.n_ff), gather=Transpose()),
        Rule(f"{BLK}.ffn_down_exps.bias", f"{hf}.down_proj_bias", shape=(n_expert, s.n_embd)),
    ]
    for part, columns in (("gate", Columns(0, step=2)), ("up", Columns(1, step=2))):
        target, shape = f"{BLK}.ffn_{part}_exps", (n_expert, s.n_ff, s.n_embd)
        rules += [
            Rule(f"{target}.weight", f"{hf}.gate_up_proj", shape=shape, gather=Transpose(columns)),
            Rule(f"{target}.bias", f"{hf}.gate_up_proj_bias", shape=shape[:2], gather=columns),
        ]
    return tuple(rules)
