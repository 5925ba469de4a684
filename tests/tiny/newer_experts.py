"""Tiny checkpoints of mixtures of experts whose config transformers 4.57.6 has no class for, or with layers of their own."""

from __future__ import annotations

from typing import Any

from tests.tiny.base import GPT2_VOCAB, config
from tests.tiny.decoders import Shapes, feed_forward, linear
from tests.tiny.experts import COMPRESSED, DEEPSEEK3, LLAMA4, MIXED, ROUTED, SCALED, N, deepseek3, llama4, mixed
from tests.tiny.mixtures import (
    GATED,
    NUMBERED,
    deepseek_experts,
    dense,
    experts,
    later,
    mla,
    without_attention,
    without_ffn,
)
from tests.tiny_checkpoints import LLAMA3_ROPE, YARN, TinyCase, without


def tokens(*names: str) -> dict[str, Any]:
    """A tokenizer_config.json that adds tokens to GPT-2's."""
    added = {str(50257 + i): {"content": name, "special": name.startswith(("<", "["))} for i, name in enumerate(names)}
    return {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": added,
                                      "chat_template": "{{ messages }}"}}  # fmt: skip


GLM_TOKENS = tokens("[gMASK]", "<|user|>", "<|observation|>")
LONG = {"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 2.0, 3.0, 4.0], "short_mscale": 1.2,
        "long_mscale": 1.2}  # fmt: skip
GLM = (
    config("Glm4MoeForCausalLM", "glm4_moe", **ROUTED, head_dim=16, use_qk_norm=True, partial_rotary_factor=0.25)
    | GPT2_VOCAB
)
LITE = (
    config("Glm4MoeLiteForCausalLM", "glm4_moe_lite", **(ROUTED | SCALED), num_nextn_predict_layers=1)
    | COMPRESSED
    | GPT2_VOCAB
)
DSA = LITE | {"architectures": ["GlmMoeDsaForCausalLM"], "model_type": "glm_moe_dsa", "index_n_heads": 2, "index_head_dim": 16,
              "index_topk": 8}  # fmt: skip
PHI_MOE = config("PhiMoEForCausalLM", "phimoe", num_local_experts=4, num_experts_per_tok=2,
                 original_max_position_embeddings=64) | GPT2_VOCAB  # fmt: skip
HY3 = config("HYV3ForCausalLM", "hy_v3", **MIXED, num_shared_experts=1, router_scaling_factor=2.5, head_dim=16,
             num_nextn_predict_layers=1) | GPT2_VOCAB  # fmt: skip
ARCTIC = config("ArcticForCausalLM", "arctic", num_local_experts=4, num_experts_per_tok=2)
QWEN3_VL: dict[str, Any] = {
    "architectures": ["Qwen3VLMoeForConditionalGeneration"], "model_type": "qwen3_vl_moe",
    "vision_config": {"deepstack_visual_indexes": [1, 2]},
    "text_config": config("x", "qwen3_vl_moe_text", **MIXED, head_dim=8, rope_scaling={
        "rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True}) | GPT2_VOCAB,
}  # fmt: skip
QWEN3_VL["text_config"].pop("architectures")
COHERE = without(config("Cohere2MoeForCausalLM", "cohere2_moe", num_experts=4, num_experts_per_tok=2, num_shared_experts=2,
                        logit_scale=0.25, sliding_window=64, layer_types=["sliding_attention", "full_attention"], head_dim=8,
                        layer_norm_eps=1e-5, mlp_layer_types=["dense", "sparse"], prefix_dense_intermediate_size=64,
                        num_nextn_predict_layers=1, expert_selection_fn="sigmoid") | GPT2_VOCAB, "rms_norm_eps")  # fmt: skip
MIMO = config("MiMoV2FlashForCausalLM", "mimo_v2_flash", **without(ROUTED, "first_k_dense_replace"), head_dim=16, v_head_dim=8,
              swa_head_dim=16, swa_num_attention_heads=4, swa_v_head_dim=8, swa_num_key_value_heads=4, topk_method="noaux_tc",
              hybrid_layer_pattern=[0, 1], sliding_window=64, partial_rotary_factor=0.5, layernorm_epsilon=1e-6,
              attention_value_scale=0.7, swa_rope_theta=1e4) | GPT2_VOCAB | {"n_shared_experts": None}  # fmt: skip
STEP = without(
    config("Step3p5ForCausalLM", "step3p5", num_attention_groups=2, head_dim=16, rope_theta=[5e6, 1e4], sliding_window=64,
           layer_types=["full_attention", "sliding_attention", "sliding_attention"], partial_rotary_factors=[0.5, 1.0, 1.0],
           attention_other_setting={"num_attention_heads": 6, "num_attention_groups": 3}, moe_num_experts=4, moe_top_k=2,
           moe_intermediate_size=32, share_expert_dim=32, moe_router_scaling_factor=3.0, norm_expert_weight=True,
           moe_layers_enum="1", moe_router_activation="sigmoid", swiglu_limits=[None, 7.0], num_nextn_predict_layers=1,
           rope_scaling=LLAMA3_ROPE) | GPT2_VOCAB, "num_key_value_heads", "rms_norm_eps")  # fmt: skip
MINIMAX3 = config("MiniMaxM3SparseForCausalLM", "minimax_m3", num_local_experts=4, num_experts_per_tok=2, intermediate_size=32,
                  dense_intermediate_size=64, n_shared_experts=1, routed_scaling_factor=2.0, rotary_dim=8,
                  moe_layer_freq=[0, 1], scoring_func="sigmoid",
                  sparse_attention_config={"sparse_num_index_heads": 2, "sparse_index_dim": 16, "sparse_topk_blocks": 4,
                                           "sparse_block_size": 32, "sparse_local_block": 1}) | GPT2_VOCAB  # fmt: skip
MISTRAL4: dict[str, Any] = {
    "architectures": ["Mistral3ForConditionalGeneration"], "model_type": "mistral3",
    "text_config": without(config("x", "mistral4", **(ROUTED | SCALED), rope_parameters=YARN | {"rope_theta": 1e4}),
                           "architectures") | COMPRESSED | GPT2_VOCAB | {"first_k_dense_replace": 0},
}  # fmt: skip
GROK = config("Grok1ForCausalLM", "grok-1", num_local_experts=4, num_experts_per_tok=2, embedding_multiplier_scale=78.4,
              output_multiplier_scale=0.57)  # fmt: skip
GROK2 = config("GrokForCausalLM", "git", num_local_experts=4, num_experts_per_tok=2, embedding_multiplier_scale=90.5,
               output_multiplier_scale=0.5, moe_intermediate_size=32, final_logit_softcapping=50, rope_type="original",
               scaling_factor=16.0, original_max_position_embeddings=128, extrapolation_factor=1.0, attn_factor=1.0,
               beta_fast=8, beta_slow=1, attn_temperature_len=64)  # fmt: skip
LAGUNA = config("LagunaForCausalLM", "laguna", **MIXED, shared_expert_intermediate_size=32, num_attention_heads_per_layer=[4, 6],
                gating=True, sliding_window=64, moe_routed_scaling_factor=2.5, mlp_layer_types=["dense", "sparse"], head_dim=8,
                rope_parameters={"full_attention": {"rope_theta": 5e5, "rope_type": "default", "partial_rotary_factor": 0.5},
                                 "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"}}) | GPT2_VOCAB | {
                                     "eos_token_id": [2, 24], "bos_token_id": 2}  # fmt: skip
ERNIE = config("Ernie4_5_MoeForCausalLM", "ernie4_5_moe", moe_num_experts=4, moe_k=2, moe_intermediate_size=32,
               moe_num_shared_experts=2, moe_layer_start_index=1, num_hidden_layers=4, moe_layer_interval=2)  # fmt: skip
GRANITE_SWA = config("GraniteMoeSWAForCausalLM", "granitemoeswa", num_local_experts=4, num_experts_per_tok=2, head_dim=16,
                     shared_intermediate_size=32, sliding_window=64, no_rope_layers=[1, 0], attention_multiplier=0.02,
                     logits_scaling=8.0)  # fmt: skip
LLAMA4_VISION: dict[str, Any] = {
    "architectures": ["Llama4ForConditionalGeneration"], "model_type": "llama4", "vision_config": {"hidden_size": 64},
    "text_config": without(LLAMA4, "architectures"),
}  # fmt: skip
KIMI_VL: dict[str, Any] = {
    "architectures": ["KimiVLForConditionalGeneration"], "model_type": "kimi_vl", "vision_config": {"hidden_size": 64},
    "text_config": without(DEEPSEEK3, "architectures"), "vocab_size": 50304,
}  # fmt: skip
OCR: dict[str, Any] = {
    "architectures": ["DeepseekOCRForCausalLM"], "model_type": "deepseek_vl_v2", "vision_config": {"hidden_size": 64},
    "language_config": without(config("x", "x", **ROUTED, use_mla=False, qk_rope_head_dim=0, qk_nope_head_dim=0, v_head_dim=0,
                                      kv_lora_rank=None, q_lora_rank=None, sliding_window_size=64, num_key_value_heads=4),
                               "model_type", "rms_norm_eps") | GPT2_VOCAB | {
                                   "architectures": ["DeepseekV2ForCausalLM"], "num_key_value_heads": 4},
}  # fmt: skip


def glm(config: dict[str, Any], n_later: int = 0) -> Shapes:
    layers = range(config["num_hidden_layers"] + n_later)
    found = without_ffn(config | {"num_hidden_layers": len(layers)}, qk_norm="head", qkv_bias=True)
    found |= dense([0], N, 96) | deepseek_experts(layers[1:], 4, N, 32)
    return found | later(config, layers[config["num_hidden_layers"] :])


def indexer(config: dict[str, Any], layers: range) -> Shapes:
    found: Shapes = {}
    for i in layers:
        hf = f"model.layers.{i}.self_attn.indexer"
        found |= (
            linear(f"{hf}.wq_b", 32, config["q_lora_rank"])
            | linear(f"{hf}.wk", 16, N)
            | linear(f"{hf}.weights_proj", 2, N)
        )
        found |= {f"{hf}.k_norm.weight": (16,), f"{hf}.k_norm.bias": (16,)}
    return found


def phi_moe(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, qkv_bias=True, o_bias=True, norm_bias=True, head_bias=True)
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.block_sparse_moe"
        found |= linear(f"{hf}.gate", 4, N) | experts(f"{hf}.experts", 4, N, 96, NUMBERED)
    return found


def hy3(config: dict[str, Any], n_later: int) -> Shapes:
    n_layer = config["num_hidden_layers"]
    layers = range(n_layer + n_later)
    found = without_ffn(config | {"num_hidden_layers": len(layers)}, qk_norm="head") | dense([0], N, 96)
    for i in layers[1:]:
        hf = f"model.layers.{i}.mlp"
        found |= linear(f"{hf}.router.gate", 4, N) | {f"{hf}.expert_bias": (4,)} | experts(f"{hf}.experts", 4, N, 32)
        found |= feed_forward(f"{hf}.shared_mlp", N, 32, GATED)
    more = later(config, layers[n_layer:], head=False)
    return found | {name.replace("shared_head.norm", "final_layernorm"): shape for name, shape in more.items()}


def arctic(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, norms="input_layernorm post_attention_layernorm residual_layernorm")
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}"
        found |= feed_forward(f"{hf}.residual_mlp", 64, 64, NUMBERED) | linear(f"{hf}.block_sparse_moe.gate", 4, 64)
        found |= experts(f"{hf}.block_sparse_moe.experts", 4, 64, 96, NUMBERED)
    return found


def qwen3_vl(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, qk_norm="head")
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.mlp"
        found |= {
            f"{hf}.gate.weight": (4, N),
            f"{hf}.experts.gate_up_proj": (4, N, 64),
            f"{hf}.experts.down_proj": (4, 32, N),
        }
    named = {name.replace("model.", "model.language_model.", 1): shape for name, shape in found.items()}
    return named | {"model.visual.merger.norm.weight": (8,)}


def cohere_moe(config: dict[str, Any], n_later: int = 0) -> Shapes:
    n_layer = config["num_hidden_layers"]
    layers = range(n_layer + n_later)
    found = without_ffn(config | {"num_hidden_layers": len(layers)}, norms="input_layernorm", head=False)
    found |= dense([0], N, 64) | deepseek_experts(layers[1:], 4, N, 96, 2, "")
    return found | later(config, layers[n_layer:], head=False)


def mimo(config: dict[str, Any], *, fused: bool = False, n_later: int = 0) -> Shapes:
    found = without_attention(without_ffn(config)) | dense([0], N, 96) | deepseek_experts([1], 4, N, 32, 0)
    mtp = {name.replace("layers.1.", f"mtp.layers.{k}."): shape for k in range(n_later)
           for name, shape in without_attention(without_ffn(config)).items() if ".layers.1." in name}  # fmt: skip
    mtp = {name.replace("post_attention_layernorm", "pre_mlp_layernorm"): shape for name, shape in mtp.items()}
    places = [("layers.0", 2), ("layers.1", 4), *((f"mtp.layers.{k}", 4) for k in range(n_later))]
    for place, n_kv in places:
        hf = f"model.{place}.self_attn"
        if fused:
            mtp |= linear(f"{hf}.qkv_proj", 64 + n_kv * 24, N)
        else:
            mtp |= (
                linear(f"{hf}.q_proj", 64, N)
                | linear(f"{hf}.k_proj", n_kv * 16, N)
                | linear(f"{hf}.v_proj", n_kv * 8, N)
            )
        mtp |= linear(f"{hf}.o_proj", N, 32)
        if n_kv == 4:
            mtp[f"{hf}.attention_sink_bias"] = (4,)
    for k in range(n_later):
        hf = f"model.mtp.layers.{k}"
        mtp |= feed_forward(f"{hf}.mlp", N, 96, GATED) | linear(f"{hf}.eh_proj", N, 2 * N)
        mtp |= {f"{hf}.{norm}.weight": (N,) for norm in ("enorm", "hnorm", "final_layernorm")}
    return found | mtp


def step(config: dict[str, Any], n_later: int) -> Shapes:
    n_layer = config["num_hidden_layers"]
    layers = range(n_layer + n_later)
    traits = config | {"num_hidden_layers": len(layers), "num_key_value_heads": 2}
    found = without_ffn(traits, qk_norm="head")
    for i in layers:
        hf, n_head, n_kv = f"model.layers.{i}.self_attn", *((6, 3) if i else (4, 2))
        found |= linear(f"{hf}.q_proj", n_head * 16, N) | linear(f"{hf}.k_proj", n_kv * 16, N)
        found |= (
            linear(f"{hf}.v_proj", n_kv * 16, N)
            | linear(f"{hf}.o_proj", N, n_head * 16)
            | linear(f"{hf}.g_proj", n_head, N)
        )
        if i != 1:
            found |= dense([i], N, 96)
    found |= {f"model.layers.1.moe.{part}.weight": shape for part, shape in {
        "gate": (4, N), "gate_proj": (4, 32, N), "up_proj": (4, 32, N), "down_proj": (4, N, 32)}.items()}  # fmt: skip
    found |= {"model.layers.1.moe.router_bias": (4,)} | dense([1], N, 32, "share_expert")
    more = {name: shape for name, shape in later(config, layers[n_layer:]).items() if "embed_tokens" not in name}
    return found | {name.replace("shared_head.head", "shared_head.output").replace(".shared_head.", ".transformer.shared_head."):
                    shape for name, shape in more.items()}  # fmt: skip


def minimax3(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, qk_norm="head") | dense([0], N, 64)
    hf = "model.layers.1.block_sparse_moe"
    found |= (
        linear(f"{hf}.gate", 4, N)
        | {f"{hf}.e_score_correction_bias": (4,)}
        | experts(f"{hf}.experts", 4, N, 32, NUMBERED)
    )
    found |= feed_forward(f"{hf}.shared_experts", N, 32, GATED)
    attention = "model.layers.1.self_attn"
    found |= linear(f"{attention}.index_q_proj", 32, N) | linear(f"{attention}.index_k_proj", 16, N)
    return found | {f"{attention}.index_{part}_norm.weight": (16,) for part in "qk"}


def mistral4(config: dict[str, Any]) -> Shapes:
    found = without_attention(without_ffn(config)) | mla(config, range(2))
    for i in range(2):
        hf = f"model.layers.{i}.mlp"
        found |= {
            f"{hf}.gate.weight": (4, N),
            f"{hf}.experts.gate_up_proj": (4, 64, N),
            f"{hf}.experts.down_proj": (4, N, 32),
        }
        found |= feed_forward(f"{hf}.shared_experts", N, 32, GATED)
    return {f"language_model.{name}": shape for name, shape in found.items()}


def grok(config: dict[str, Any]) -> Shapes:
    found: Shapes = {"transformer.in_out_embed.weight": (2048, 64)}
    for i in range(config["num_hidden_layers"]):
        hf = f"transformer.decoder_layer.{i}"
        found |= experts(f"{hf}.moe", 4, 64, 96, "linear linear_v linear_1") | linear(f"{hf}.router", 4, 64)
        for part, rows in {"query": 64, "key": 32, "value": 32, "linear": 64}.items():
            found |= linear(f"{hf}.multi_head_attention.{part}", rows, 64)
        found |= {f"{hf}.rms_norm{end}.weight": (64,) for end in ("", "_1", "_2", "_3")}
    return found | {"transformer.rms_norm.weight": (64,)}


def grok2(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, norms="pre_attn_norm post_attn_norm pre_moe_norm post_moe_norm")
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}"
        found |= experts(f"{hf}.block_sparse_moe.experts", 4, 64, 32, NUMBERED) | linear(
            f"{hf}.block_sparse_moe.gate", 4, 64
        )
        found |= feed_forward(f"{hf}.mlp", 64, 96, GATED)
    return dict(sorted(found.items()))


def laguna(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, qk_norm="head") | dense([0], N, 96)
    for i, n_head in enumerate((4, 6)):
        hf = f"model.layers.{i}.self_attn"
        found |= (
            linear(f"{hf}.q_proj", n_head * 8, N)
            | linear(f"{hf}.o_proj", N, n_head * 8)
            | linear(f"{hf}.g_proj", n_head, N)
        )
    hf = "model.layers.1.mlp"
    found |= (
        linear(f"{hf}.gate", 4, N)
        | {f"{hf}.experts.e_score_correction_bias": (4,)}
        | experts(f"{hf}.experts", 4, N, 32)
    )
    return found | feed_forward(f"{hf}.shared_expert", N, 32, GATED)


def ernie(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, head=False) | dense([0, 2], 64, 96)
    for i in (1, 3):
        hf = f"model.layers.{i}.mlp"
        found |= linear(f"{hf}.gate", 4, 64) | {f"{hf}.moe_statics.e_score_correction_bias": (1, 4)}
        found |= experts(f"{hf}.experts", 4, 64, 32) | feed_forward(f"{hf}.shared_experts", 64, 64, GATED)
    return found | {"model.mtp_emb_norm.0.weight": (64,), "model.mtp_block.0.mlp.gate.weight": (4, 64)}


def granite_swa(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, head=False) | dense([0], 64, 96)
    hf = "model.layers.1"
    found |= linear(f"{hf}.block_sparse_moe.router.layer", 4, 64) | {
        f"model.layers.{i}.self_attn.sinks": (4,) for i in (0, 1)
    }
    found |= {
        f"{hf}.block_sparse_moe.experts.gate_up_proj": (4, 192, 64),
        f"{hf}.block_sparse_moe.experts.down_proj": (4, 64, 96),
    }
    return found | linear(f"{hf}.shared_mlp.input_linear", 64, 64) | linear(f"{hf}.shared_mlp.output_linear", 64, 32)


def multimodal(found: Shapes) -> Shapes:
    """The tensors of a language model beside some of a vision part."""
    return {f"language_model.{name}": shape for name, shape in found.items()} | {
        "vision_model.patch_embedding.linear.weight": (8, 8), "multi_modal_projector.linear_1.weight": (8, 8)}  # fmt: skip


CASES = [
    TinyCase("glm4-moe-mtp", GLM | {"num_nextn_predict_layers": 1}, "gpt-2", files=GLM_TOKENS, dtype=mixed, tensors=glm(GLM, 1)),
    TinyCase("glm4-moe-no-mtp", without(GLM, "partial_rotary_factor", "rms_norm_eps") | {"num_nextn_predict_layers": 1}, "gpt-2",
             files=GLM_TOKENS, tensors=glm(GLM), arguments=("--no-mtp",)),
    TinyCase("solar-open", GLM | {"architectures": ["SolarOpenForCausalLM"], "model_type": "solar_open"}, "gpt-2",
             files=tokens("<|startoftext|>", "<unk>"), tensors=glm(GLM)),
    TinyCase("glm4-moe-lite", LITE, "gpt-2", files=GLM_TOKENS, tensors=deepseek3(LITE, 1)),
    TinyCase("glm-dsa", DSA | {"indexer_types": ["full", "shared"]}, "gpt-2", files=GLM_TOKENS,
             tensors=deepseek3(DSA, 1) | indexer(DSA, range(1))),
    TinyCase("deepseek32", without(DSA, "num_nextn_predict_layers") | {
        "architectures": ["DeepseekV32ForCausalLM"], "model_type": "deepseek_v32", "scoring_func": "sigmoid"}, "gpt-2",
        files={"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True}},
        tensors=deepseek3(DSA) | indexer(DSA, range(2))),
    TinyCase("phi-moe", PHI_MOE | {"rope_scaling": LONG, "sliding_window": 32}, "gpt-2", tensors=phi_moe(PHI_MOE)),
    TinyCase("hy3-mtp", HY3, "gpt-2", dtype=mixed, tensors=hy3(HY3, 1)),
    TinyCase("arctic", ARCTIC, tensors=arctic(ARCTIC)),
    TinyCase("qwen3-vl-moe", QWEN3_VL, "gpt-2", tensors=qwen3_vl(QWEN3_VL["text_config"])),
    TinyCase("cohere2-moe-mtp", COHERE, "gpt-2", tensors=cohere_moe(COHERE, 1)),
    TinyCase("mimo2-no-mtp", MIMO, "gpt-2", dtype=mixed, tensors=mimo(MIMO), arguments=("--no-mtp",)),
    TinyCase("mimo2-mtp", MIMO | {"architectures": ["MiMoV2ForCausalLM"]}, "gpt-2", tensors=mimo(MIMO, fused=True, n_later=3)),
    TinyCase("step35-mtp", STEP, "gpt-2", dtype=mixed, tensors=step(STEP, 1)),
    TinyCase("minimax-m3", MINIMAX3, "gpt-2", tensors=minimax3(MINIMAX3)),
    TinyCase("mistral4", MISTRAL4, "gpt-2", tensors=mistral4(MISTRAL4["text_config"])),
    TinyCase("grok", GROK, tensors=grok(GROK)),
    TinyCase("grok2", GROK2, tensors=grok2(GROK2)),
    TinyCase("laguna", LAGUNA, "gpt-2", files=tokens("</assistant>") | {"chat_template.jinja": "{{ bos_token }}"}, dtype=mixed,
             tensors=laguna(LAGUNA)),
    TinyCase("ernie-moe", ERNIE, tensors=ernie(ERNIE)),
    TinyCase("granite-moe-swa", GRANITE_SWA, tensors=granite_swa(GRANITE_SWA)),
    TinyCase("granite-swa-llama3", without(GRANITE_SWA, "num_local_experts", "no_rope_layers", "num_experts_per_tok") | {
        "architectures": ["GraniteSWAForCausalLM"], "model_type": "graniteswa", "rope_scaling": LLAMA3_ROPE},
        tensors=without_ffn(GRANITE_SWA, head=False) | dense([0, 1], 64, 96)
        | {f"model.layers.{i}.self_attn.sinks": (4,) for i in (0, 1)}),
    TinyCase("step37-vision", {"architectures": ["Step3p7ForConditionalGeneration"], "model_type": "step3p7", "text_config":
             without(STEP, "architectures", "rope_scaling", "num_nextn_predict_layers")}, "gpt-2",
             tensors=multimodal(step(STEP, 0))),
    TinyCase("llama4-vision", LLAMA4_VISION, "gpt-2", tensors=multimodal(llama4(LLAMA4, (1, 3)))),
    TinyCase("kimi-vl", KIMI_VL, "gpt-2", tensors=multimodal(deepseek3(DEEPSEEK3))),
    TinyCase("unlimited-ocr", OCR | {"architectures": ["UnlimitedOCRForCausalLM"], "model_type": "unlimited_ocr"}, "gpt-2",
             dtype="F16", tensors=without_ffn(OCR["language_config"]) | dense([0], N, 96)
             | deepseek_experts([1], 4, N, 32, 1, "") | {"model.qwen2_model.norm.weight": (8,)}),
    TinyCase("deepseek-ocr", OCR, "gpt-2", tensors=without_ffn(OCR["language_config"]) | dense([0], N, 96)
             | deepseek_experts([1], 4, N, 32, 1, "") | {"model.sam_model.blocks.0.norm1.weight": (8,),
                                                         "model.projector.layers.weight": (8, 8)}),
]  # fmt: skip
