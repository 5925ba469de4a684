"""MiniMax M3, the language model.

How the checkpoint differs from the GGUF layout:

1. Norms are stored as the difference from 1.
2. The first layers are dense (moe_layer_freq); in the others, experts of three matrices (w1 gate, w2 down, w3 up) are
   stacked, with shared ones. Layers are dense where the checkpoint has no experts.
3. A small attention chooses blocks of what to attend to (index_*); its matrices are always F32.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/minimax.py (MiniMaxM3Model).
transformers 4.57.6 has no class for model_type minimax_m3: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import GATE_DOWN_UP, in_layers, layers_with, router, score_bias, stacks
from ggufpress.arch.layers import BLK, LAYERS, Sizes, attention, ends, feed_forward, norms, sizes
from ggufpress.arch.ops import Add
from ggufpress.arch.spec import Arch, Rule
from ggufpress.gguf.values import Value, f32, flag, u32

CLASSES = ("MiniMaxM3SparseForCausalLM", "MiniMaxM3SparseForConditionalGeneration")
NAME = "minimax-m3"
INDEXER = (
    ("head_count", "sparse_num_index_heads"), ("key_length", "sparse_index_dim"), ("top_k", "sparse_topk_blocks"),
    ("block_size", "sparse_block_size"), ("local_blocks", "sparse_local_block"),
)  # fmt: skip


def describe(config: Config, hf_class: str) -> Arch:
    """The description of a MiniMax M3 model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_expert, n_shared = config.positive("num_local_experts", "num_experts"), config.integer("n_shared_experts")
    hf = f"{LAYERS}.block_sparse_moe"
    sparse = layers_with(config, s.n_layer, f"{hf}.experts.0.w1.weight")
    dense = tuple(i for i in range(s.n_layer) if i not in sparse)
    n_ff = config.positive("prefix_dense_intermediate_size", "dense_intermediate_size", "intermediate_size")
    rules = (
        *ends(s),
        *norms(s),
        *attention(s),
        *_norms_and_indexer(),
        *in_layers(dense, *feed_forward(s.n_embd, n_ff)),
        *in_layers(
            sparse,
            router(n_expert, s.n_embd, f"{hf}.gate"),
            score_bias(n_expert, f"{hf}.e_score_correction_bias"),
            *stacks(n_expert, s.n_ff, s.n_embd, f"{hf}.experts", GATE_DOWN_UP),
            *(feed_forward(s.n_embd, s.n_ff * n_shared, f"{hf}.shared_experts", "_shexp") if n_shared else ()),
        ),
    )
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, s).items()),
        rules=tuple(replace(r, ops=(Add(1),)) if r.source.endswith("norm.weight") else r for r in rules),
    )


def _metadata(config: Config, s: Sizes) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, NAME))
    keys[f"{NAME}.expert_feed_forward_length"] = u32(s.n_ff)
    keys[f"{NAME}.rope.dimension_count"] = u32(config.integer("rotary_dim"))
    keys[f"{NAME}.expert_shared_count"] = u32(config.integer("n_shared_experts"))
    keys[f"{NAME}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    keys[f"{NAME}.expert_weights_norm"] = flag(True)
    if (indexer := config.section("sparse_attention_config")) is None:
        raise config.wrong(("sparse_attention_config",), "an object")
    keys |= needed(indexer, f"{NAME}.attention.indexer", *INDEXER)
    freq = config.find("moe_layer_freq")
    if not isinstance(freq, list):
        raise config.wrong(("moe_layer_freq",), "a list of zeros and ones")
    keys[f"{NAME}.leading_dense_block_count"] = u32(next((i for i, one in enumerate(freq) if one), len(freq)))
    return keys


def _norms_and_indexer() -> tuple[Rule, ...]:
    """Norms of queries and keys, and the indexer (3), which not all layers have: its sizes are not checked."""
    hf = f"{LAYERS}.self_attn"
    rules = [Rule(f"{BLK}.attn_{part}_norm.weight", f"{hf}.{part}_norm.weight", required=False) for part in "qk"]
    for part in "qk":
        for kind in ("proj", "norm"):
            source = f"{hf}.index_{part}_{kind}.weight"
            rules.append(Rule(f"{BLK}.indexer.{part}_{kind}.weight", source, required=False, as_f32=True))
    return tuple(rules)
