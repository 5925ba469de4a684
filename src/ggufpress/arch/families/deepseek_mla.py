"""DeepSeek V2 and V3 with their kin (Kimi K2, Kimi-VL, Youtu), whose attention keeps keys and values compressed (MLA).

How the checkpoint differs from the GGUF layout:

1. kv_b_proj holds, head by head, the rows of keys and of values. GGUF has two stacks of one matrix per head, that of the
   keys transposed; llama.cpp then sees a single head of keys and values, as wide as what is kept.
2. Queries are compressed too where there is a q_lora_rank.
3. The first layers are dense (first_k_dense_replace); in the others, experts are stacked and shared experts are one.
   Youtu has no experts at all: all its layers count as dense ones.
4. Layers behind those of the model (MTP) are left out. With tied embeddings, so is an output matrix.
5. transformers' classes let head_dim be qk_rope_head_dim; key and value lengths then stand where head_dim puts them.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/deepseek.py (DeepseekV2Model).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.config_classes import MODERN, ConfigClass, read_through_class
from ggufpress.arch.decoder import block_count, decoder_metadata
from ggufpress.arch.experts import deepseek_experts, in_layers
from ggufpress.arch.families import deepseek_ocr
from ggufpress.arch.gather import Regroup, Reshape, Then, Transpose
from ggufpress.arch.later_layers import later_layers
from ggufpress.arch.layers import BLK, LAYERS, Sizes, computed_frequencies, ends, feed_forward, linear, norms, sizes
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Drop, Rule
from ggufpress.gguf.values import Value, f32, flag, u32

CLASSES = (
    "DeepseekV2ForCausalLM",
    "DeepseekV3ForCausalLM",
    "KimiVLForConditionalGeneration",
    "KimiK25ForConditionalGeneration",
    "YoutuForCausalLM",
    "YoutuVLForConditionalGeneration",
)


def _rotated_part(config: Config) -> Config:
    """DeepseekV2Config sets head_dim whatever config.json has; DeepseekV3Config lets that count."""
    return config.replace(head_dim=config.find("qk_rope_head_dim"))


# transformers 4.57.6, models/{deepseek_v2,deepseek_v3}/configuration_*.py
CONFIG_CLASSES = {
    "deepseek_v2": ConfigClass(MODERN | {
        "vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": None, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
        "first_k_dense_replace": 0, "kv_lora_rank": 512, "q_lora_rank": 1536, "n_group": None, "n_routed_experts": 64,
        "n_shared_experts": 2, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "routed_scaling_factor": 1.0,
        "topk_group": None, "v_head_dim": 128, "num_experts_per_tok": None, "norm_topk_prob": False,
        "moe_intermediate_size": 1407,
    }, derives=_rotated_part),
    "deepseek_v3": ConfigClass(MODERN | {
        "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
        "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128, "n_shared_experts": 1,
        "n_routed_experts": 256, "routed_scaling_factor": 2.5, "kv_lora_rank": 512, "q_lora_rank": 1536,
        "qk_rope_head_dim": 64, "v_head_dim": 128, "qk_nope_head_dim": 128, "n_group": 8, "topk_group": 4,
        "num_experts_per_tok": 8, "first_k_dense_replace": 3, "norm_topk_prob": True, "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
    }, derives=lambda config: config.with_defaults({"head_dim": config.find("qk_rope_head_dim")})),
}  # fmt: skip


def describe(raw: Config, hf_class: str) -> Arch:
    """The description of a model with DeepSeek's attention. Raises ConfigError for a config that makes no sense."""
    if deepseek_ocr.is_ocr(raw):
        return deepseek_ocr.describe(raw, hf_class)
    config = read_through_class(raw, CONFIG_CLASSES)
    return mla_model(config, hf_class, "deepseek2", block_count(config))


def mla_model(config: Config, hf_class: str, name: str, n_layer: int) -> Arch:
    """The description of a model of `n_layer` layers, which may be more than the config says; others are left out."""
    s = sizes(config.without("head_dim"))
    n_expert = config.optional_integer("n_routed_experts") or 0
    n_dense = config.optional_integer("first_k_dense_replace")
    if n_dense is None:
        n_dense = 0 if config.find("n_routed_experts") is not None else s.n_layer
    tied = config.flag("tie_word_embeddings", default=False)
    later = later_layers(config, n_layer)
    return Arch(
        name=name,
        hf_class=hf_class,
        n_layer=n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(metadata(config, name, n_layer, n_dense).items()),
        rules=(
            *(rule for rule in ends(s) if not (tied and rule.target == "output.weight")),
            *norms(s),
            *compressed_attention(config, s),
            *in_layers(range(min(n_dense, n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *(in_layers(range(n_dense, n_layer), *deepseek_experts(config, s, n_expert)) if n_expert else ()),
        ),
        drops=(
            *computed_frequencies(),
            *((Drop("lm_head.weight", "the output matrix is the embedding"),) if tied else ()),
            *(
                (Drop(f"{LAYERS}.*", "llama.cpp does not use the layers that predict further tokens", later),)
                if later
                else ()
            ),
        ),
    )


def metadata(config: Config, name: str, n_layer: int, n_dense: int) -> dict[str, Value]:
    """The keys in file order; those set twice keep their place."""
    kept, rotated = (
        config.with_defaults({"kv_lora_rank": 512}).integer("kv_lora_rank"),
        config.integer("qk_rope_head_dim"),
    )
    keys = dict(decoder_metadata(config.with_defaults({"rms_norm_eps": 1e-6}).replace(num_key_value_heads=1), name))
    keys[f"{name}.block_count"] = u32(n_layer)
    keys[f"{name}.leading_dense_block_count"] = u32(n_dense)
    keys[f"{name}.vocab_size"] = u32(config.positive("vocab_size"))
    if (rank := config.optional_integer("q_lora_rank")) is not None:
        keys[f"{name}.attention.q_lora_rank"] = u32(rank)
    keys[f"{name}.attention.kv_lora_rank"] = u32(kept)
    keys[f"{name}.attention.key_length"] = u32(kept + rotated)
    keys[f"{name}.attention.value_length"] = u32(kept)
    keys[f"{name}.attention.key_length_mla"] = u32(config.integer("qk_nope_head_dim") + rotated)
    keys[f"{name}.attention.value_length_mla"] = u32(config.integer("v_head_dim"))
    keys[f"{name}.expert_feed_forward_length"] = u32(config.integer("moe_intermediate_size", "intermediate_size"))
    if (n_expert := config.optional_integer("n_routed_experts")) is not None:
        keys[f"{name}.expert_count"] = u32(n_expert)
    keys[f"{name}.expert_shared_count"] = u32(config.with_defaults({"n_shared_experts": 0}).integer("n_shared_experts"))
    if (scale := config.optional_number("routed_scaling_factor")) is not None:
        keys[f"{name}.expert_weights_scale"] = f32(scale)
    if config.flag("norm_topk_prob", default=False):
        keys[f"{name}.expert_weights_norm"] = flag(True)
    keys[f"{name}.rope.dimension_count"] = u32(rotated)
    if (mscale := rope_parameters(config).optional_number("mscale_all_dim")) is not None:
        keys[f"{name}.rope.scaling.yarn_log_multiplier"] = f32(0.1 * mscale)
    return keys


def compressed_attention(config: Config, s: Sizes, hf: str = f"{LAYERS}.self_attn") -> tuple[Rule, ...]:
    """Queries, compressed keys and values, and what makes heads of them (1, 2)."""
    n_head_kv = config.positive("num_key_value_heads")
    plain, rotated = config.positive("qk_nope_head_dim"), config.integer("qk_rope_head_dim")
    kept, n_value = config.with_defaults({"kv_lora_rank": 512}).positive("kv_lora_rank"), config.positive("v_head_dim")
    rows = s.n_head * (plain + rotated)
    if rank := config.optional_integer("q_lora_rank"):
        queries: tuple[Rule, ...] = (
            *linear(f"{BLK}.attn_q_a", f"{hf}.q_a_proj", (rank, s.n_embd)),
            *linear(f"{BLK}.attn_q_a_norm", f"{hf}.q_a_layernorm", (rank,)),
            *linear(f"{BLK}.attn_q_b", f"{hf}.q_b_proj", (rows, rank)),
        )
    else:
        queries = linear(f"{BLK}.attn_q", f"{hf}.q_proj", (rows, s.n_embd))
    keys = Regroup(n_head_kv, ((0, plain),))
    values = Regroup(n_head_kv, ((plain, plain + n_value),))
    both = f"{hf}.kv_b_proj.weight"
    return (
        *queries,
        *linear(f"{BLK}.attn_kv_a_mqa", f"{hf}.kv_a_proj_with_mqa", (kept + rotated, s.n_embd)),
        *linear(f"{BLK}.attn_kv_a_norm", f"{hf}.kv_a_layernorm", (kept,)),
        Rule(f"{BLK}.attn_k_b.weight", both, shape=(n_head_kv, kept, plain),
             gather=Then(keys, Then(Reshape((n_head_kv, plain, kept)), Transpose()))),
        Rule(f"{BLK}.attn_v_b.weight", both, shape=(n_head_kv, n_value, kept),
             gather=Then(values, Reshape((n_head_kv, n_value, kept)))),
        *linear(f"{BLK}.attn_output", f"{hf}.o_proj", (s.n_embd, s.n_head * n_value)),
    )  # fmt: skip
