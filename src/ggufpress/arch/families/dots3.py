"""dots3-note: DeepSeek's compressed attention (MLA) of two sizes, with windows and with an indexer, and experts.

How the checkpoint differs from the GGUF layout, besides what deepseek_mla.py says:

1. Layers with sliding windows have heads of another number and size, and keep less of keys and values; the number of heads
   becomes a list. The part of keys that is rotated has a norm, and the heads of a layer a gate each.
2. Layers with full attention choose what to look at by an indexer.
3. With apply_mla_qkv_lora_rescale, norms of what is compressed are scaled by the root of how much narrower it is.
4. One layer that predicts further tokens may stand behind those of the model, with a window: kept, and counted as a block.
   The config does not speak of it; its embedding stands under `model.mtp.`.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/dots3.py.
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import needed
from ggufpress.arch.experts import deepseek_experts, in_layers, layers_with
from ggufpress.arch.families.deepseek_mla import compressed_attention, metadata
from ggufpress.arch.families.deepseek_sparse import indexer
from ggufpress.arch.later_layers import prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import Scale
from ggufpress.arch.spec import LAYER, Arch, Drop, Rule
from ggufpress.arch.windows import flags
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, u32

CLASSES = ("Dots3NoteForCausalLM", "Dots3NoteForConditionalGeneration", "Dots3NoteTextForCausalLM")
NAME = "dots3note"
HF = f"{LAYERS}.self_attn"
EMBEDDING = "model.mtp.embed_tokens.weight"
KNOWN = {
    "use_dsa": True, "normalization": "RMSNorm", "final_norm": "RMSNorm", "k_rope_only_layernorm": True,
    "topk_method": "noaux_tc", "scoring_func": "sigmoid", "n_group": 1, "topk_group": 1, "use_dynamic_rsf": False,
    "moe_gating_fp32": False, "attention_gate_type": "headwise", "swa_attention_gate_type": "headwise",
}  # fmt: skip
"""What llama.cpp knows of this family, and what counts where the config has no such key."""


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a dots3-note model. Raises ConfigError for a config that does not make sense."""
    config = raw.without("head_dim")
    s = sizes(config)
    _check(config)
    later = int(any(name.endswith(EMBEDDING) for name in config.tensors))
    n_layer, n_dense = s.n_layer + later, config.optional_integer("first_k_dense_replace") or 0
    sliding = [*_sliding(config, s.n_layer), *range(s.n_layer, n_layer)]
    full = [i for i in range(n_layer) if i not in sliding]
    small, window = _of_windows(config, s)
    n_expert, tied = config.positive("n_routed_experts"), config.flag("tie_word_embeddings", default=False)
    sparse = [i for i in range(n_dense, s.n_layer)] + [
        i for i in layers_with(config, n_layer, f"{LAYERS}.mlp.gate.weight") if i >= s.n_layer
    ]
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="dots3",
        metadata=tuple(_metadata(config, s, small, n_layer, n_dense, sliding).items()),
        rules=(
            *(rule for rule in ends(s) if not (tied and rule.target == "output.weight")),
            *norms(s),
            *in_layers(full, *_attention(config.replace(num_key_value_heads=s.n_head), s)),
            *(in_layers(full, *indexer(config, s, required=True)) if full else ()),
            *in_layers(sliding, *_attention(window, small)),
            *in_layers([i for i in range(n_layer) if i not in sparse], *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(sparse, *deepseek_experts(config, s, n_expert)),
            *_predicting(s, n_layer),
        ),
        drops=(Drop("lm_head.weight", "the output matrix is the embedding"),) if tied else (),
    )


def _check(config: Config) -> None:
    """Raises UnsupportedError for what llama.cpp does not know of this family."""
    for key, wanted in KNOWN.items():
        found = config.values.get(key, None if key == "scoring_func" else wanted)
        if found != wanted:
            raise UnsupportedError(f"{config.path}: {key} is {found!r:.40}, llama.cpp knows {wanted!r} alone")
    if config.integer("swa_q_lora_rank") != config.integer("q_lora_rank"):
        raise config.wrong(("swa_q_lora_rank",), "the same as q_lora_rank")
    if config.integer("swa_qk_rope_head_dim") != config.integer("qk_rope_head_dim"):
        raise config.wrong(("swa_qk_rope_head_dim",), "the same as qk_rope_head_dim")
    both = config.integer("swa_qk_nope_head_dim") + config.integer("swa_qk_rope_head_dim")
    if config.with_defaults({"swa_head_dim": 256}).integer("swa_head_dim") != both:
        raise config.wrong(("swa_head_dim",), f"the sum of its two parts, {both},")


def _sliding(config: Config, n_layer: int) -> list[int]:
    kinds = config.find("layer_types")
    if not isinstance(kinds, list) or len(kinds) < n_layer:
        raise config.wrong(("layer_types",), f"a list of {n_layer} kinds of attention")
    return [i for i in range(n_layer) if kinds[i] == "sliding_attention"]


def _of_windows(config: Config, s: Sizes) -> tuple[Sizes, Config]:
    """The sizes of layers with sliding windows, and the config as their attention has it (1)."""
    n_head = config.positive("swa_num_attention_heads")
    names = ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "kv_lora_rank")
    own = {name: config.integer(f"swa_{name}") for name in names}
    return replace(s, n_head=n_head), config.replace(num_key_value_heads=n_head, **own)


def _attention(config: Config, s: Sizes) -> tuple[Rule, ...]:
    """Attention of one size, its norms scaled (3)."""
    rescaled = config.flag("apply_mla_qkv_lora_rescale", default=False)
    ranks = {"q_a_layernorm.weight": "q_lora_rank", "kv_a_layernorm.weight": "kv_lora_rank"}
    rules = []
    for rule in compressed_attention(config, s):
        rank = next((config.positive(key) for name, key in ranks.items() if rule.source.endswith(name)), None)
        scaled = rescaled and rank is not None
        rules.append(replace(rule, ops=(Scale(math.sqrt(s.n_embd / (rank or 1))),)) if scaled else rule)
    return (
        *rules,
        *linear(f"{BLK}.attn_gate", f"{HF}.gate_proj", (s.n_head, s.n_embd)),
        *linear(f"{BLK}.attn_k_norm", f"{HF}.k_rope_only_layernorm", (config.integer("qk_rope_head_dim"),)),
    )


def _predicting(s: Sizes, n_layer: int) -> tuple[Rule, ...]:
    """What the layer behind those of the model has besides a usual layer (4)."""
    rules = prediction(s, range(s.n_layer, n_layer))
    embedding = f"{LAYERS}.embed_tokens.weight"
    return tuple(
        replace(rule, target=rule.target.replace(LAYER, str(s.n_layer)), source=EMBEDDING, layers=None)
        if rule.source == embedding
        else rule
        for rule in rules
        if n_layer > s.n_layer
    )


def _metadata(
    config: Config, s: Sizes, small: Sizes, n_layer: int, n_dense: int, sliding: Sequence[int]
) -> dict[str, Value]:
    keys = metadata(config, NAME, n_layer, n_dense)
    heads = (small.n_head if i in sliding else s.n_head for i in range(n_layer))
    keys[f"{NAME}.attention.head_count"] = array(ValueType.INT32, heads)
    kept, rotated = config.integer("swa_kv_lora_rank"), config.integer("swa_qk_rope_head_dim")
    keys |= needed(config, NAME, ("attention.sliding_window", "sliding_window_size"))
    keys[f"{NAME}.attention.sliding_window_pattern"] = flags(tuple(i in sliding for i in range(s.n_layer)))
    keys[f"{NAME}.attention.kv_lora_rank_swa"] = u32(kept)
    keys[f"{NAME}.attention.key_length_swa"] = u32(kept + rotated)
    keys[f"{NAME}.attention.value_length_swa"] = u32(kept)
    keys[f"{NAME}.attention.key_length_mla_swa"] = u32(config.integer("swa_qk_nope_head_dim") + rotated)
    keys[f"{NAME}.attention.value_length_mla_swa"] = u32(config.integer("swa_v_head_dim"))
    if n_layer > s.n_layer:
        keys[f"{NAME}.nextn_predict_layers"] = u32(n_layer - s.n_layer)
    keys |= needed(config, f"{NAME}.attention.indexer", ("head_count", "index_n_heads"),
                   ("key_length", "index_head_dim"), ("top_k", "index_topk"))  # fmt: skip
    keys[f"{NAME}.attention.indexer.types"] = flags(tuple(i not in sliding for i in range(s.n_layer)))
    return keys
