"""GLM 5.3: delta attention (KDA) in most layers, compressed attention (MLA) with an indexer in the others, experts.

How the checkpoint differs from the GGUF layout:

1. layer_types says which layers have delta attention: the number of key heads becomes a list with 0 for those, 1 for others.
2. Keys and values of full attention are compressed as DeepSeek's are, and nothing is rotated.
3. An indexer chooses what full attention looks at, over keys that are pooled in groups. indexer_types: in some layers only.
4. Kernels of convolutions have four axes in GGUF. Decay rates become minus exponentials, computed in F32.
5. Several residual streams are mixed by hyper-connections. They, the pooling and the gates of delta attention stay F32.
6. The first layers are dense; in the others experts are stacked, and shared experts are one.
7. Layers behind those of the model predict further tokens: kept, and counted as blocks, with full attention.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/glm.py (Glm5NextModel).
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import decoder_metadata, needed
from ggufpress.arch.experts import deepseek_experts, in_layers
from ggufpress.arch.families.deepseek_mla import compressed_attention
from ggufpress.arch.families.kimi_linear import HF, delta
from ggufpress.arch.gather import Reshape
from ggufpress.arch.hyper_connections import hyper_connections
from ggufpress.arch.later_layers import n_later, prediction
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.ops import NegExp
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.arch.windows import flags
from ggufpress.errors import UnsupportedError
from ggufpress.gguf.values import Value, ValueType, array, f32, flag, u32

CLASSES = ("Glm5NextForConditionalGeneration",)
NAME = "glm5-next"


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a GLM 5.3 model. Raises ConfigError for a config that does not make sense."""
    config = raw.without("head_dim")
    if not config.find("mla_use_nope") or config.integer("qk_rope_head_dim") or not config.flag("mhc", default=True):
        raise UnsupportedError(
            f"{config.path}: llama.cpp knows GLM 5.3 with mla_use_nope, without rotation, and with mhc only"
        )
    s = sizes(config)
    linear_config = config.section("linear_attn_config")
    if linear_config is None or linear_config.positive("num_heads") != s.n_head:
        raise config.wrong(("linear_attn_config",), f"an object whose num_heads is {s.n_head}")
    later = n_later(config, s.n_layer) or 0
    n_layer, n_dense = s.n_layer + later, config.integer("first_k_dense_replace")
    full = _full_layers(config, s.n_layer, n_layer)
    others, main = [i for i in range(n_layer) if i not in full], [i for i in full if i < s.n_layer]
    n_expert, n_stream = config.positive("n_routed_experts"), config.positive("hc_mult")
    tied = config.flag("tie_word_embeddings", default=False)
    streams = partial(
        hyper_connections, n_stream, s.n_embd, n_stream * (n_stream + 2), 3, f"{LAYERS}.hc_attn_", f"{LAYERS}.hc_ffn_"
    )
    behind = range(s.n_layer, n_layer)
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="glm",
        metadata=tuple(_metadata(config, linear_config, full, n_layer, later).items()),
        rules=(
            *(rule for rule in ends(s) if not (tied and rule.target == "output.weight")),
            *norms(s),
            *in_layers(range(s.n_layer), *streams()),
            *in_layers(behind, *streams(required=False)),
            *in_layers(full, *compressed_attention(config.replace(num_key_value_heads=s.n_head), s)),
            *in_layers(main, *_indexer(config, s, required=config.find("indexer_types") is None)),
            *in_layers(behind, *_indexer(config, s, required=False)),
            *in_layers(others, *_delta(linear_config, s)),
            *in_layers(range(min(n_dense, n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, n_layer), *deepseek_experts(config, s, n_expert)),
            *prediction(s, behind),
        ),
        drops=(Drop("lm_head.weight", "the output matrix is the embedding"),) if tied else (),
    )


def _full_layers(config: Config, n_main: int, n_layer: int) -> tuple[int, ...]:
    kinds = config.find("layer_types")
    if not isinstance(kinds, list) or len(kinds) != n_main:
        raise config.wrong(("layer_types",), f"a list of {n_main} kinds of attention")
    return tuple(i for i in range(n_layer) if i >= n_main or kinds[i] != "linear_attention")


def _indexer(config: Config, s: Sizes, required: bool) -> tuple[Rule, ...]:
    """The small attention that chooses, and the pooling of its keys (3)."""
    hf, target = f"{HF}.indexer", f"{BLK}.indexer"
    n_head, size, rank = (config.positive(key) for key in ("index_n_heads", "index_head_dim", "q_lora_rank"))
    pool = ("ape", (config.positive("index_kpool"), size)), ("gate", (size, s.n_embd))
    return (
        *linear(f"{target}.attn_q_b", f"{hf}.wq_b", (n_head * size, rank), required=required),
        *linear(f"{target}.attn_k", f"{hf}.wk", (size, s.n_embd), required=required),
        *linear(f"{target}.k_norm", f"{hf}.k_norm", (size,), required=required),
        Rule(f"{target}.proj.weight", f"{hf}.weights_proj.weight", (), (n_head, s.n_embd), required, as_f32=True),
        *(Rule(f"{target}_compressor_{part}.weight", f"{hf}.index_kpool_compress_{part}", (), shape, required, as_f32=True)
          for part, shape in pool),
    )  # fmt: skip


def _delta(config: Config, s: Sizes) -> tuple[Rule, ...]:
    decay = Rule(f"{BLK}.ssm_a", f"{HF}.A_log", (NegExp(widens=True),), (s.n_head,), gather=Reshape((s.n_head,)))
    return (*(rule for rule in delta(config, s) if rule.target != decay.target), decay)


def _metadata(config: Config, linear_config: Config, full: Sequence[int], n_layer: int, later: int) -> dict[str, Value]:
    keys = dict(decoder_metadata(config, NAME))
    keys[f"{NAME}.block_count"] = u32(n_layer)
    keys[f"{NAME}.attention.head_count_kv"] = array(ValueType.INT32, (int(i in full) for i in range(n_layer)))
    keys |= needed(config, NAME, ("vocab_size", "vocab_size"))
    keys[f"{NAME}.attention.layer_norm_epsilon"] = f32(1e-6)
    if later:
        keys[f"{NAME}.nextn_predict_layers"] = u32(later)
    keys |= needed(linear_config, NAME, ("ssm.conv_kernel", "short_conv_kernel_size"), ("kda.head_dim", "head_dim"))
    if (bound := linear_config.optional_number("gate_lower_bound")) is not None:
        keys[f"{NAME}.kda.gate_lower_bound"] = f32(bound)
    kept = config.integer("kv_lora_rank")
    keys[f"{NAME}.attention.q_lora_rank"] = u32(config.integer("q_lora_rank"))
    keys[f"{NAME}.attention.kv_lora_rank"] = u32(kept)
    keys[f"{NAME}.rope.dimension_count"] = u32(0)
    keys[f"{NAME}.attention.key_length"] = keys[f"{NAME}.attention.value_length"] = u32(kept)
    keys[f"{NAME}.attention.key_length_mla"] = u32(config.integer("qk_nope_head_dim"))
    keys[f"{NAME}.attention.value_length_mla"] = u32(config.integer("v_head_dim"))
    indexer = f"{NAME}.attention.indexer"
    keys |= needed(config, indexer, ("head_count", "index_n_heads"), ("key_length", "index_head_dim"),
                   ("top_k", "index_topk"), ("kpool", "index_kpool"))  # fmt: skip
    keys[f"{indexer}.kpool_select_tail"] = flag(config.flag("index_kpool_always_select_tail", default=True))
    if (kinds := config.find("indexer_types")) is not None:
        if not isinstance(kinds, list):
            raise config.wrong(("indexer_types",), "a list with the kind of each layer")
        keys[f"{indexer}.types"] = flags(tuple(kind == "full" for kind in kinds))
    keys |= needed(
        config, f"{NAME}.hyper_connection", ("count", "hc_mult"), ("sinkhorn_iterations", "hc_sinkhorn_iters")
    )
    keys[f"{NAME}.hyper_connection.epsilon"] = f32(config.number("hc_eps"))
    keys |= needed(config, NAME, ("leading_dense_block_count", "first_k_dense_replace"),
                   ("expert_feed_forward_length", "moe_intermediate_size"),
                   ("expert_shared_count", "n_shared_experts"))  # fmt: skip
    keys[f"{NAME}.expert_weights_scale"] = f32(config.number("routed_scaling_factor"))
    keys[f"{NAME}.expert_weights_norm"] = flag(config.flag("norm_topk_prob", default=False))
    if (limit := config.optional_number("swiglu_limit")) is not None:
        kind = ValueType.INT32 if isinstance(limit, int) else ValueType.FLOAT32
        for part in ("exp", "shexp"):
            keys[f"{NAME}.swiglu_clamp_{part}"] = array(kind, [limit] * n_layer)
    return keys
