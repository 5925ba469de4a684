"""GroveMoE, LLaDA MoE and Mellum 2: experts in every layer under Qwen3's names.

How the checkpoint differs from the GGUF layout:

1. Experts of three matrices are stacked. GroveMoE has smaller experts besides, one for two of the others; those too.
2. GroveMoE's expert_bias is not used. What it does not put into its config is written as its code has it.
3. LLaDA MoE attends in both directions; its mask is token 156895, whatever the config says.
4. Mellum has a sliding window in some layers, unless use_sliding_window says no.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/grovemoe.py, conversion/llada.py (LLaDAMoEModel),
conversion/mellum.py. transformers 4.57.6 has no class for any of them: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, integers
from ggufpress.arch.experts import router, stacks
from ggufpress.arch.layers import LAYERS, attention, ends, head_norms, norms, sizes
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.arch.windows import window_metadata
from ggufpress.gguf.values import Value, f32, flag, u32

NAMES = {
    "GroveMoeForCausalLM": "grovemoe",
    "modeling_grove_moe.GroveMoeForCausalLM": "grovemoe",
    "LLaDAMoEModel": "llada-moe",
    "LLaDAMoEModelLM": "llada-moe",
    "MellumForCausalLM": "mellum",
}
CLASSES = tuple(NAMES)
PER_GROUP = 2
"""Experts of GroveMoE that share a smaller one."""
CHUNK = 128
"""Width of GroveMoE's smaller experts where the config has no head_dim."""
MASK = 156895


def describe(config: Config, hf_class: str) -> Arch:
    """The description of such a model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config.with_defaults({"intermediate_size": 1}))
    name = NAMES[hf_class]
    n_expert = config.positive("num_local_experts", "num_experts")
    width = "expert_intermediate_size" if name == "llada-moe" else "moe_intermediate_size"
    metadata = [
        *decoder_metadata(config, name),
        *integers(config, name, (("expert_feed_forward_length", (width,)),)),
    ]
    more: tuple[Rule, ...] = ()
    drops: tuple[Drop, ...] = ()
    if name == "grovemoe":
        chunk = config.optional_integer("head_dim") or CHUNK
        metadata += [
            (f"{name}.expert_chunk_feed_forward_length", u32(chunk)),
            (f"{name}.experts_per_group", u32(PER_GROUP)),
            (f"{name}.expert_group_scale", f32(0.05)),
        ]
        more = stacks(n_expert // PER_GROUP, chunk, s.n_embd, f"{LAYERS}.mlp.chunk_experts", suffix="chexps")
        drops = (Drop(f"{LAYERS}.mlp.gate.expert_bias", "the model does not use it"),
                 Drop(f"{LAYERS}.mlp.expert_bias", "the model does not use it"))  # fmt: skip
    elif name == "llada-moe":
        metadata += [
            ("tokenizer.ggml.mask_token_id", u32(MASK)),
            (f"{name}.attention.causal", flag(False)),
            ("diffusion.shift_logits", flag(False)),
        ]
    else:
        metadata += _window(config, name, s.n_layer)
    return Arch(
        name=name,
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
            *head_norms(s),
            router(n_expert, s.n_embd),
            *stacks(n_expert, config.positive(width), s.n_embd),
            *more,
        ),
        drops=drops,
    )


def _window(config: Config, name: str, n_layer: int) -> list[tuple[str, Value]]:
    if config.find("sliding_window") is None or not config.flag("use_sliding_window", default=True):
        return []
    if config.find("layer_types") is None:
        raise config.wrong(("layer_types",), f"a list of {n_layer} kinds of attention")
    return window_metadata(config, name, n_layer, 0)
