"""The language models of Qwen3-VL and Qwen3-Omni with experts.

How the checkpoint differs from the GGUF layout:

1. The experts are stored stacked and transposed, gate and up in one tensor: gate first. Qwen3-Omni has them one by one.
2. Outputs of some vision layers are fed to the first layers: how many is a key (Qwen3-Omni: none).
3. Qwen3-Omni begins and ends a text with <|im_end|>.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwen3vl.py (Qwen3VLMoeTextModel, Qwen3OmniMoeTextModel).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import decoder_metadata, integers
from ggufpress.arch.families.qwen_moe import experts
from ggufpress.arch.families.qwen_vl import deepstack_layers
from ggufpress.arch.gather import Columns, Transpose
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, head_norms, norms, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import u32

CLASSES = ("Qwen3VLMoeForConditionalGeneration", "Qwen3OmniMoeForConditionalGeneration")
NAME = "qwen3vlmoe"

# transformers 4.57.6, models/{qwen3_vl_moe,qwen3_omni_moe}/configuration_*.py
CONFIG_CLASSES = {
    "qwen3_vl_moe_text": ConfigClass(MODERN | {
        "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24,
        "num_attention_heads": 16, "num_key_value_heads": 16, "max_position_embeddings": 128000, "rms_norm_eps": 1e-6,
        "rope_theta": 5000000.0, "moe_intermediate_size": 1408, "num_experts_per_tok": 4, "num_experts": 60,
        "head_dim": None,
    }, renames_type=False, fills_head_dim=True),
    "qwen3_omni_moe_text": ConfigClass(MODERN | {
        "vocab_size": 3584, "hidden_size": 2048, "intermediate_size": 18944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0, "moe_intermediate_size": 768, "num_experts_per_tok": 8, "num_experts": 128,
    }, fills_kv_heads=False),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of such a language model. Raises ConfigError for a config that does not make sense."""
    config = read_through_class(raw, CONFIG_CLASSES)
    s = sizes(config)
    omni = "Omni" in hf_class
    n_expert, n_ff = config.positive("num_local_experts", "num_experts"), config.positive("moe_intermediate_size")
    table = (
        ("expert_feed_forward_length", ("moe_intermediate_size",)),
        ("expert_shared_feed_forward_length", ("shared_expert_intermediate_size",)),
    )
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="qwen3-omni" if omni else "bpe",
        metadata=(
            *decoder_metadata(config, NAME),
            *integers(config, NAME, table),
            (f"{NAME}.n_deepstack_layers", u32(0 if omni else deepstack_layers(config))),
        ),
        rules=(
            *ends(s),
            *norms(s),
            *attention(s),
            *head_norms(s),
            *experts(s, n_expert, n_ff, stacked=False),
            *_transposed(s, n_expert, n_ff),
        ),
        prefixes=(("thinker.model.language_model.", "model."), ("thinker.", "")),
    )


def _transposed(s: Sizes, n_expert: int, n_ff: int) -> tuple[Rule, ...]:
    """The experts as they are stored stacked (1)."""
    hf, rules = f"{LAYERS}.mlp.experts", []
    for end in ("", ".weight"):
        down = (n_expert, s.n_embd, n_ff)
        rules.append(Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.down_proj{end}", (), down, False, gather=Transpose()))
        for part, first in (("gate", 0), ("up", n_ff)):
            half = Transpose(Columns(first, first + n_ff))
            shape = (n_expert, n_ff, s.n_embd)
            rules.append(
                Rule(f"{BLK}.ffn_{part}_exps.weight", f"{hf}.gate_up_proj{end}", (), shape, False, gather=half)
            )
    return tuple(rules)
