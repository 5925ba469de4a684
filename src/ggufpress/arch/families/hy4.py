"""Hunyuan 4: DeepSeek's compressed attention (MLA) with a gate, sinks and an indexer, hyper-connections, experts.

How the checkpoint differs from the GGUF layout, besides what deepseek_mla.py says:

1. A gate of the size of all heads and a sink per head belong to attention. An indexer chooses what the layers that are `full`
   in indexer_types look at (without that list, those of sparse attention); the others take the choice of the layer before.
2. Several residual streams are mixed by hyper-connections, and joined at the end by one more. Their matrices stay F32.
3. Experts are stored as stacks, gate and up in one, gate first.
4. mlp_layer_types may say which layers are dense: the first ones. One group of experts is none.
5. Layers that predict further tokens are left out: llama.cpp has no place for them.
6. With enable_lm_head_fp32 the output matrix stays F32.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/hy_v4.py.
transformers 4.57.6 has no class for it: the config is read as it stands.
"""

from __future__ import annotations

from dataclasses import replace

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count, needed
from ggufpress.arch.experts import in_layers, router, score_bias
from ggufpress.arch.families.deepseek_mla import compressed_attention, metadata
from ggufpress.arch.families.deepseek_sparse import indexer
from ggufpress.arch.gather import Regroup
from ggufpress.arch.hyper_connections import hyper_connections
from ggufpress.arch.layers import BLK, LAYERS, Sizes, ends, feed_forward, norms, sizes
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.arch.windows import flags
from ggufpress.gguf.values import Value, ValueType, array, f32, u32

CLASSES = ("HYV4ForCausalLM",)
NAME = "hy_v4"
HF = f"{LAYERS}.self_attn"
SPARSE = ("sparse_attention", "deepseek_sparse_attention")
SIGMOID = 2


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a Hunyuan 4 model. Raises ConfigError for a config that does not make sense."""
    n_layer = block_count(raw)
    one_group = raw.find("n_group") == raw.find("topk_group") == 1
    config = raw.without("n_group", "topk_group") if one_group else raw
    config = config.replace(num_key_value_heads=config.positive("num_attention_heads"))
    s = sizes(config.without("head_dim"))
    n_dense, choosing = _n_dense(config, n_layer), _choosing(config, n_layer)
    n_expert, n_stream = config.positive("n_routed_experts"), config.positive("hc_mult")
    tied, exact = (config.flag(key, default=False) for key in ("tie_word_embeddings", "enable_lm_head_fp32"))
    whole = s.n_head * config.positive("v_head_dim")
    own = [i for i, full in enumerate(choosing or ()) if full]
    attn, ffn = (f"{LAYERS}.hc_{half}_layer.hc_pre.hc_" for half in ("attn", "mlp"))
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, n_layer, n_dense, choosing).items()),
        rules=(
            *(replace(rule, as_f32=True) if exact and rule.target == "output.weight" else rule
              for rule in ends(s) if not (tied and rule.target == "output.weight")),
            *_joining(n_stream, s.n_embd),
            *norms(s),
            *hyper_connections(n_stream, s.n_embd, 2 * n_stream, 2, attn, ffn),
            *compressed_attention(config, s),
            Rule(f"{BLK}.attn_gate.weight", f"{HF}.gate_proj.weight", (), (whole, s.n_embd),
                 copies=tuple(f"{HF}.{name}.weight" for name in ("g_proj", "output_gate", "linear_gate"))),
            Rule(f"{BLK}.attn_sinks.weight", f"{HF}.learnable_sink_param", (), (s.n_head,)),
            *(in_layers(own, *indexer(config, s, required=True)) if own else ()),
            *in_layers(range(n_dense), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, n_layer), *_experts(config, s, n_expert)),
        ),
        drops=(
            Drop("model.mtp_layers.*", "llama.cpp has no place for this model's layers that predict further tokens"),
            *((Drop("lm_head.weight", "the output matrix is the embedding"),) if tied else ()),
        ),
    )  # fmt: skip


def _n_dense(config: Config, n_layer: int) -> int:
    """How many layers at the start are dense (4). Raises ConfigError where the config contradicts itself."""
    stated, kinds = config.optional_integer("first_k_dense_replace"), config.find("mlp_layer_types")
    if kinds is None:
        return min(config.integer("first_k_dense_replace"), n_layer)
    if not isinstance(kinds, list):
        raise config.wrong(("mlp_layer_types",), "a list with the kind of each layer")
    found = next((i for i, kind in enumerate(kinds) if kind != "dense"), len(kinds))
    if "dense" in kinds[found:] or stated not in (None, found):
        raise config.wrong(
            ("mlp_layer_types",), "a list of dense layers, as many as first_k_dense_replace says, and others"
        )
    return min(found, n_layer)


def _choosing(config: Config, n_layer: int) -> tuple[bool, ...] | None:
    """Which layers have an indexer (1), None where no layer has one. Raises ConfigError for lists that make no sense."""
    key = "indexer_types" if config.find("indexer_types") is not None else "layer_types"
    kinds = config.find(key)
    if kinds is None or (key == "layer_types" and isinstance(kinds, list) and not set(SPARSE) & set(map(str, kinds))):
        return None
    if not isinstance(kinds, list) or len(kinds) < n_layer:
        raise config.wrong((key,), f"a list of at least {n_layer} kinds")
    if key == "layer_types":
        return tuple(kind in SPARSE for kind in kinds[:n_layer])
    if kinds[0] != "full" or any(kind not in ("full", "shared") for kind in kinds[:n_layer]):
        raise config.wrong((key,), "a list of full and shared, the first of them full,")
    return tuple(kind == "full" for kind in kinds[:n_layer])


def _joining(n_stream: int, n_embd: int) -> tuple[Rule, ...]:
    """What joins the residual streams at the end (2)."""
    shapes = {"fn": (n_stream, n_stream * n_embd), "base": (n_stream,), "scale": (1,)}
    return tuple(
        Rule(f"output_hc_{part}.weight", f"model.hc_head.hc_head_{part}", (), shape, as_f32=True)
        for part, shape in shapes.items()
    )


def _experts(config: Config, s: Sizes, n_expert: int) -> tuple[Rule, ...]:
    n_ff, n_shared = config.positive("moe_intermediate_size"), config.optional_integer("n_shared_experts") or 0
    hf = f"{LAYERS}.mlp"
    shape = (n_expert, n_ff, s.n_embd)
    return (
        router(n_expert, s.n_embd),
        score_bias(n_expert),
        *(
            Rule(
                f"{BLK}.ffn_{part}_exps.weight",
                f"{hf}.experts.gate_up_proj",
                (),
                shape,
                gather=Regroup(n_expert, (rows,)),
            )
            for part, rows in (("gate", (0, n_ff)), ("up", (n_ff, 2 * n_ff)))
        ),
        Rule(f"{BLK}.ffn_down_exps.weight", f"{hf}.experts.down_proj", (), (n_expert, s.n_embd, n_ff)),
        *(feed_forward(s.n_embd, n_ff * n_shared, f"{hf}.shared_experts", "_shexp") if n_shared else ()),
    )


def _metadata(config: Config, n_layer: int, n_dense: int, choosing: tuple[bool, ...] | None) -> dict[str, Value]:
    keys = metadata(config, NAME, n_layer, n_dense)
    keys[f"{NAME}.expert_gating_func"] = u32(SIGMOID)
    if limit := config.optional_number("swiglu_limit"):
        keys[f"{NAME}.swiglu_clamp_exp"] = array(ValueType.FLOAT32, [float(limit)] * n_layer)
    keys |= needed(config, NAME, ("hyper_connection.count", "hc_mult"))
    for part, source in (("epsilon", "hc_eps"), ("magnitude", "hc_magnitude")):
        keys[f"{NAME}.hyper_connection.{part}"] = f32(config.number(source))
    if choosing is not None:
        keys |= needed(config, f"{NAME}.attention.indexer", ("head_count", "index_n_heads"),
                       ("key_length", "index_head_dim"), ("top_k", "index_topk"))  # fmt: skip
        keys[f"{NAME}.attention.indexer.types"] = flags(choosing)
    return keys
