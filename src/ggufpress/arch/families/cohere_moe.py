"""Cohere 2 with experts.

How the checkpoint differs from the GGUF layout:

1. Attention and feed-forward stand side by side behind one norm. The first layers are dense, as mlp_layer_types or
   first_k_dense_replace say; in the others, experts are stacked and shared experts are one, averaged with them.
2. Layers behind those of the model predict further tokens: kept, and counted as blocks. A config may speak of them where
   the checkpoint has none; then the file is that of `--no-mtp`.
3. intermediate_size is the width of an expert too. No rope scaling is written.
4. Biases, which llama.cpp wants to be zero, are refused: to leave them out, their values would have to be known.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/command_r.py (Cohere2MoeModel).
transformers 4.57.6 has no class for model_type cohere2_moe: the config is read as it stands.
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata
from ggufpress.arch.experts import in_layers, router, stacks
from ggufpress.arch.later_layers import n_later, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, sizes
from ggufpress.arch.spec import Arch, Rule
from ggufpress.arch.windows import flags
from ggufpress.gguf.values import Value, f32, flag, text, u32

CLASSES = ("Cohere2MoeForCausalLM",)
NAME = "cohere2moe"


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a Cohere 2 model with experts. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    later = n_later(config, s.n_layer) or 0
    n_layer, n_expert = s.n_layer + later, config.positive("num_experts")
    n_shared, n_dense = config.optional_integer("num_shared_experts") or 0, _n_dense(config)
    n_ff = config.positive("prefix_dense_intermediate_size", "dense_intermediate_size", "intermediate_size")
    rules = (
        *ends(s),
        Rule(f"{BLK}.attn_norm.weight", f"{LAYERS}.input_layernorm.weight", shape=(s.n_embd,)),
        *attention(s),
        *in_layers(range(min(n_dense, n_layer)), *feed_forward(s.n_embd, n_ff)),
        *in_layers(
            range(n_dense, n_layer),
            router(n_expert, s.n_embd),
            *stacks(n_expert, s.n_ff, s.n_embd),
            *(feed_forward(s.n_embd, s.n_ff * n_shared, f"{LAYERS}.mlp.shared_experts", "_shexp") if n_shared else ()),
        ),
        *prediction(s, range(s.n_layer, n_layer)),
    )
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, s, later, n_dense, n_shared).items()),
        rules=tuple(rule for rule in rules if not rule.target.endswith(".bias")),
    )


def _n_dense(config: Config) -> int:
    kinds = config.find("mlp_layer_types")
    if kinds is None:
        return config.optional_integer("first_k_dense_replace") or 0
    if not isinstance(kinds, list):
        raise config.wrong(("mlp_layer_types",), "a list with the kind of each layer")
    return next((i for i, kind in enumerate(kinds) if kind != "dense"), len(kinds))


def _metadata(config: Config, s: Sizes, later: int, n_dense: int, n_shared: int) -> dict[str, Value]:
    kinds = config.find("layer_types")
    if not isinstance(kinds, list) or len(kinds) not in (s.n_layer, s.n_layer + later):
        raise config.wrong(("layer_types",), f"a list of {s.n_layer} kinds of attention")
    keys = dict(decoder_metadata(config, NAME))
    keys[f"{NAME}.block_count"] = u32(s.n_layer + later)
    keys[f"{NAME}.logit_scale"] = f32(config.number("logit_scale"))
    keys[f"{NAME}.attention.sliding_window"] = u32(config.integer("sliding_window"))
    keys[f"{NAME}.attention.sliding_window_pattern"] = flags(tuple(kind == "sliding_attention" for kind in kinds))
    keys[f"{NAME}.vocab_size"] = u32(s.n_vocab)
    keys[f"{NAME}.expert_feed_forward_length"] = u32(s.n_ff)
    keys[f"{NAME}.leading_dense_block_count"] = u32(n_dense)
    keys[f"{NAME}.expert_weights_norm"] = flag(config.flag("norm_topk_prob", default=False))
    if n_shared:
        if config.find("shared_expert_combination_strategy") not in (None, "average"):
            raise config.wrong(("shared_expert_combination_strategy",), "average")
        keys[f"{NAME}.expert_shared_count"] = u32(n_shared)
        keys[f"{NAME}.expert_shared_feed_forward_length"] = u32(s.n_ff * n_shared)
    if later:
        keys[f"{NAME}.nextn_predict_layers"] = u32(later)
    keys[f"{NAME}.rope.dimension_count"] = u32(config.integer("head_dim"))
    keys[f"{NAME}.rope.scaling.type"] = text("none")
    return keys
