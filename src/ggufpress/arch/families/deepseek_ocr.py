"""DeepSeek-OCR and Unlimited-OCR, the language model.

How the checkpoint differs from the GGUF layout:

1. It is a DeepSeek V2 with plain attention (use_mla is false): queries, keys and values of as many heads, not permuted.
2. The first layers are dense (first_k_dense_replace); in the others, experts are stacked and shared experts are one.
3. The two vision parts (SAM and CLIP, or Qwen 2) are left out.
4. A chat template that repeats the messages comes before all other keys; that of the tokenizer, if any, takes its place.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/deepseek.py (DeepseekV2Model, its DEEPSEEK2OCR).
"""

from __future__ import annotations

from ggufpress.arch.config import Config
from ggufpress.arch.decoder import block_count, decoder_metadata
from ggufpress.arch.experts import deepseek_experts, in_layers
from ggufpress.arch.layers import attention, computed_frequencies, ends, feed_forward, norms, sizes
from ggufpress.arch.rope import rope_parameters
from ggufpress.arch.spec import Arch, Drop
from ggufpress.gguf.values import Value, f32, flag, text, u32

CLASSES = ("DeepseekOCRForCausalLM", "UnlimitedOCRForCausalLM")
NAME = "deepseek2-ocr"
TEMPLATE = "{% for m in messages %}{{m['content']}}{% endfor %}"
VISION = "it belongs to the vision part, which is a file of its own in llama.cpp"


def is_ocr(config: Config) -> bool:
    """Whether a config of DeepSeek V2 is the language model of DeepSeek-OCR: its section states another class."""
    return config.find("language_config") is not None and config.find("use_mla") is False


def describe(config: Config, hf_class: str) -> Arch:
    """The description of such a language model. Raises ConfigError for a config that does not make sense."""
    s = sizes(config)
    n_expert, n_dense = config.optional_integer("n_routed_experts") or 0, _n_dense(config)
    tied = config.flag("tie_word_embeddings", default=False)
    sparse = deepseek_experts(config, s, n_expert) if n_expert else ()
    return Arch(
        name=NAME,
        hf_class=hf_class,
        n_layer=s.n_layer,
        n_expert=n_expert,
        n_vocab=s.n_vocab,
        vocab="bpe",
        metadata=tuple(_metadata(config, n_dense).items()),
        rules=(
            *(rule for rule in ends(s) if not (tied and rule.target == "output.weight")),
            *norms(s),
            *attention(s),
            *in_layers(range(min(n_dense, s.n_layer)), *feed_forward(s.n_embd, s.n_ff)),
            *in_layers(range(n_dense, s.n_layer), *sparse),
        ),
        drops=(
            *computed_frequencies(),
            *(Drop(f"model.{part}.*", VISION) for part in ("sam_model", "qwen2_model")),
            *((Drop("lm_head.weight", "the output matrix is the embedding"),) if tied else ()),
        ),
        leading=(("tokenizer.chat_template", text(TEMPLATE)),),
    )


def _n_dense(config: Config) -> int:
    if (stated := config.optional_integer("first_k_dense_replace")) is not None:
        return stated
    return 0 if config.find("n_routed_experts") is not None else block_count(config)


def _metadata(config: Config, n_dense: int) -> dict[str, Value]:
    keys = dict(decoder_metadata(config.with_defaults({"rms_norm_eps": 1e-6}), NAME))
    keys[f"{NAME}.leading_dense_block_count"] = u32(n_dense)
    keys[f"{NAME}.vocab_size"] = u32(config.positive("vocab_size"))
    if (rank := config.optional_integer("q_lora_rank")) is not None:
        keys[f"{NAME}.attention.q_lora_rank"] = u32(rank)
    keys[f"{NAME}.expert_feed_forward_length"] = u32(config.integer("moe_intermediate_size", "intermediate_size"))
    if (n_expert := config.optional_integer("n_routed_experts")) is not None:
        keys[f"{NAME}.expert_count"] = u32(n_expert)
    keys[f"{NAME}.expert_shared_count"] = u32(config.with_defaults({"n_shared_experts": 0}).integer("n_shared_experts"))
    if (scale := config.optional_number("routed_scaling_factor")) is not None:
        keys[f"{NAME}.expert_weights_scale"] = f32(scale)
    if config.flag("norm_topk_prob", default=False):
        keys[f"{NAME}.expert_weights_norm"] = flag(True)
    keys[f"{NAME}.rope.dimension_count"] = u32(config.integer("qk_rope_head_dim"))
    if window := config.optional_integer("sliding_window_size") or config.optional_integer("sliding_window"):
        keys[f"{NAME}.attention.sliding_window"] = u32(window)
    if (mscale := rope_parameters(config).optional_number("mscale_all_dim")) is not None:
        keys[f"{NAME}.rope.scaling.yarn_log_multiplier"] = f32(0.1 * mscale)
    return keys
