"""Tiny checkpoints of mixtures of experts."""

from __future__ import annotations

from typing import Any

from tests.tiny.base import GPT2_VOCAB, config
from tests.tiny.mixtures import (
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

N = 32
ROUTED: dict[str, Any] = {
    "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
}  # fmt: skip
COMPRESSED: dict[str, Any] = {
    "kv_lora_rank": 32, "q_lora_rank": 24, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12,
    "num_key_value_heads": 4,
}  # fmt: skip
DEEPSEEK = config("DeepseekForCausalLM", "deepseek", **ROUTED, scoring_func="softmax") | {"n_shared_experts": 2}
DEEPSEEK2 = config("DeepseekV2ForCausalLM", "deepseek_v2", **ROUTED) | COMPRESSED | GPT2_VOCAB
DEEPSEEK3 = (
    config(
        "DeepseekV3ForCausalLM",
        "deepseek_v3",
        **ROUTED,
        scoring_func="sigmoid",
        num_nextn_predict_layers=1,
        n_group=2,
        topk_group=1,
        norm_topk_prob=True,
        routed_scaling_factor=2.5,
    )
    | COMPRESSED
    | GPT2_VOCAB
)
GRANITE_MOE = config("GraniteMoeForCausalLM", "granitemoe", num_local_experts=4, num_experts_per_tok=2,
                     attention_multiplier=0.02, logits_scaling=8.0)  # fmt: skip
GPT_OSS = config("GptOssForCausalLM", "gpt_oss", num_local_experts=4, num_experts_per_tok=2, intermediate_size=32,
                 head_dim=16, sliding_window=64) | GPT2_VOCAB  # fmt: skip
DBRX = {"architectures": ["DbrxForCausalLM"], "model_type": "dbrx", "d_model": 32, "n_heads": 4, "n_layers": 2,
        "max_seq_len": 512, "vocab_size": 50304, "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 2}}  # fmt: skip
LLAMA4 = config("Llama4ForCausalLM", "llama4_text", num_local_experts=2, intermediate_size_mlp=64, intermediate_size=32,
                interleave_moe_layer_step=2, num_hidden_layers=4, head_dim=8) | GPT2_VOCAB  # fmt: skip
MINIMAX = config("MiniMaxM2ForCausalLM", "minimax_m2", num_local_experts=4, num_experts_per_tok=2, intermediate_size=32,
                 head_dim=16, rotary_dim=8, scoring_func="sigmoid") | GPT2_VOCAB  # fmt: skip
LING = config("BailingMoeForCausalLM", "bailing_moe", num_experts=4, num_experts_per_tok=2, num_shared_experts=2,
              moe_intermediate_size=32, first_k_dense_replace=0, norm_topk_prob=True) | GPT2_VOCAB  # fmt: skip
MIXED: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
SCALED: dict[str, Any] = {"routed_scaling_factor": 2.5, "norm_topk_prob": True, "first_k_dense_replace": 1}
RND = config("RND1", "rnd1", **MIXED, mask_token_id=7) | GPT2_VOCAB
DOTS = config("Dots1ForCausalLM", "dots1", **ROUTED, head_dim=8, routed_scaling_factor=2.5) | GPT2_VOCAB
GROVE = config("GroveMoeForCausalLM", "grove_moe", **MIXED, head_dim=16) | GPT2_VOCAB
LLADA = (
    config("LLaDAMoEModelLM", "llada", **without(MIXED, "moe_intermediate_size"), expert_intermediate_size=32)
    | GPT2_VOCAB
)
MELLUM = config("MellumForCausalLM", "mellum", **MIXED, sliding_window=64,
                layer_types=["sliding_attention", "full_attention"]) | GPT2_VOCAB  # fmt: skip
AFMOE = config("AfmoeForCausalLM", "afmoe", **MIXED, num_shared_experts=2, num_dense_layers=1, route_norm=True, route_scale=2.5,
               sliding_window=64, score_func="sigmoid", head_dim=24)  # fmt: skip
SMALL = config("SmallThinkerForCausalLM", "smallthinker", moe_num_primary_experts=4, moe_num_active_primary_experts=2,
               moe_ffn_hidden_size=32, sliding_window_layout=[0, 1], sliding_window_size=64) | GPT2_VOCAB  # fmt: skip
K_EXAONE = config("ExaoneMoEForCausalLM", "exaone_moe", **MIXED, **SCALED, num_shared_experts=1, sliding_window=64,
                  sliding_window_pattern="LG", num_nextn_predict_layers=1, scoring_func="sigmoid", n_group=1,
                  topk_group=1) | GPT2_VOCAB  # fmt: skip
LING2 = config("BailingMoeV2ForCausalLM", "bailing_moe_v2", **MIXED, **SCALED, num_shared_experts=1, n_group=2, topk_group=1,
               score_function="sigmoid", num_nextn_predict_layers=0, head_dim=16) | GPT2_VOCAB  # fmt: skip
MAPLE = config("MapleForCausalLM", "maple", **MIXED, hidden_act="silu", nope_on_global_attention=True, sliding_window=64,
               layer_types=["sliding_attention", "full_attention"], partial_rotary_factor=0.5) | GPT2_VOCAB  # fmt: skip


def deepseek3(config: dict[str, Any], n_later: int = 0, **traits: Any) -> dict[str, tuple[int, ...]]:
    """DeepSeek V3, with layers that predict further tokens behind its own."""
    n_layer, n_embd = config["num_hidden_layers"], config["hidden_size"]
    layers = range(n_layer + n_later)
    n_dense = config["first_k_dense_replace"]
    return (
        without_attention(without_ffn(config | {"num_hidden_layers": n_layer + n_later}, **traits))
        | mla(config, layers)
        | dense(range(n_dense), n_embd, config["intermediate_size"])
        | deepseek_experts(layers[n_dense:], config["n_routed_experts"], n_embd, config["moe_intermediate_size"],
                           config["n_shared_experts"])
        | later(config, range(n_layer, n_layer + n_later))
    )  # fmt: skip


def granite_moe(config: dict[str, Any], n_ff: int, n_shared: int = 0, n_expert: int = 4) -> dict[str, tuple[int, ...]]:
    n_embd, found = config["hidden_size"], without_ffn(config, head=False)
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.block_sparse_moe"
        if n_expert:
            found |= {f"{hf}.router.layer.weight": (n_expert, n_embd), f"{hf}.input_linear.weight": (n_expert, 2 * n_ff, n_embd),
                      f"{hf}.output_linear.weight": (n_expert, n_embd, n_ff)}  # fmt: skip
        if n_shared:
            found |= {f"model.layers.{i}.shared_mlp.input_linear.weight": (2 * n_shared, n_embd),
                      f"model.layers.{i}.shared_mlp.output_linear.weight": (n_embd, n_shared)}  # fmt: skip
    return found


def gpt_oss(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    n_embd, n_ff, n_expert = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    found = without_ffn(config, qkv_bias=True, o_bias=True)
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.mlp"
        found |= {
            f"{hf}.router.weight": (n_expert, n_embd), f"{hf}.router.bias": (n_expert,),
            f"model.layers.{i}.self_attn.sinks": (4,),
            f"{hf}.experts.gate_up_proj": (n_expert, n_embd, 2 * n_ff), f"{hf}.experts.gate_up_proj_bias": (n_expert, 2 * n_ff),
            f"{hf}.experts.down_proj": (n_expert, n_ff, n_embd), f"{hf}.experts.down_proj_bias": (n_expert, n_embd),
        }  # fmt: skip
    return found


def dbrx(n_embd: int, n_layer: int, n_ff: int, n_expert: int, n_kv: int) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {
        "transformer.wte.weight": (50304, n_embd),
        "transformer.norm_f.weight": (n_embd,),
    }
    for i in range(n_layer):
        hf = f"transformer.blocks.{i}"
        found |= {f"{hf}.ffn.experts.mlp.{part}": (n_expert * n_ff, n_embd) for part in ("v1", "w1", "w2")}
        found |= {f"{hf}.ffn.router.layer.weight": (n_expert, n_embd),
                  f"{hf}.norm_attn_norm.attn.Wqkv.weight": (n_embd + 2 * n_kv * 8, n_embd),
                  f"{hf}.norm_attn_norm.attn.out_proj.weight": (n_embd, n_embd)}  # fmt: skip
        found |= {f"{hf}.norm_attn_norm.norm_{k}.weight": (n_embd,) for k in (1, 2)}
    return found | {"lm_head.weight": (50304, n_embd)}


def llama4(config: dict[str, Any], sparse: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    n_embd, n_ff, n_expert = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    layers = range(config["num_hidden_layers"])
    found = without_ffn(config) | dense([i for i in layers if i not in sparse], n_embd, 64, "feed_forward")
    for i in sparse:
        hf = f"model.layers.{i}.feed_forward"
        found |= {f"{hf}.router.weight": (n_expert, n_embd), f"{hf}.experts.gate_up_proj": (n_expert, n_embd, 2 * n_ff),
                  f"{hf}.experts.down_proj": (n_expert, n_ff, n_embd)}  # fmt: skip
        found |= dense([i], n_embd, n_ff, "feed_forward.shared_expert")
    return found


def minimax(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    n_embd, found = config["hidden_size"], without_ffn(config, qk_norm="full")
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.block_sparse_moe"
        found |= {f"{hf}.gate.weight": (4, n_embd), f"{hf}.e_score_correction_bias": (4,)}
        found |= experts(f"{hf}.experts", 4, n_embd, config["intermediate_size"], NUMBERED)
    return found


def ling(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    n_embd = config["hidden_size"]
    found = without_attention(without_ffn(config))
    found["model.word_embeddings.weight"] = found.pop("model.embed_tokens.weight")
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.attention"
        found |= {f"{hf}.query_key_value.weight": (64, n_embd), f"{hf}.dense.weight": (n_embd, n_embd)}
    return found | deepseek_experts(range(config["num_hidden_layers"]), 4, n_embd, 32, 2, "")


def qwen_like(config: dict[str, Any], n_ff: int = 32, gate: str = "gate", **traits: Any) -> dict[str, tuple[int, ...]]:
    """Router and experts of Qwen's names in every layer."""
    found = without_ffn(config, **traits)
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.mlp"
        found |= {f"{hf}.{gate}.weight": (4, config["hidden_size"])} | experts(
            f"{hf}.experts", 4, config["hidden_size"], n_ff
        )
    return found


def stacked(n_embd: int, layers: range) -> dict[str, tuple[int, ...]]:
    """Experts of 32 as transformers 5 stores them."""
    found: dict[str, tuple[int, ...]] = {}
    for i in layers:
        hf = f"model.layers.{i}.mlp"
        found |= {f"{hf}.experts.gate_up_proj": (4, 64, n_embd), f"{hf}.experts.down_proj": (4, n_embd, 32)}
        found |= {f"{hf}.gate.weight": (4, n_embd), f"{hf}.gate.e_score_correction_bias": (4,)}
        found |= dense([i], n_embd, 32, "mlp.shared_experts")
    return found


def afmoe(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    n_embd = config["hidden_size"]
    norms = "input_layernorm post_attention_layernorm pre_mlp_layernorm post_mlp_layernorm"
    found = without_ffn(config, qk_norm="head", norms=norms) | dense([0], n_embd, config["intermediate_size"])
    found |= {f"model.layers.{i}.self_attn.gate_proj.weight": (4 * config["head_dim"], n_embd) for i in (0, 1)}
    found |= {"model.layers.1.mlp.router.gate.weight": (4, n_embd), "model.layers.1.mlp.expert_bias": (4,)}
    found |= experts("model.layers.1.mlp.experts", 4, n_embd, 32)
    return found | dense([1], n_embd, 64, "mlp.shared_experts")


def smallthinker(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    found = without_ffn(config)
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.block_sparse_moe"
        found |= {f"{hf}.primary_router.weight": (4, 32)} | experts(f"{hf}.experts", 4, 32, 32, "up gate down")
    return found


def k_exaone(config: dict[str, Any], *, with_later: bool = True) -> dict[str, tuple[int, ...]]:
    """With one layer that predicts further tokens, under names of its own."""
    found = without_ffn(config, qk_norm="head") | dense([0], N, 96) | deepseek_experts([1], 4, N, 32)
    own = {name: shape for name, shape in without_ffn(config, qk_norm="head").items() if ".layers.0." in name}
    more = {name.replace("model.", "mtp."): shape for name, shape in (own | dense([0], N, 96)).items()}
    more |= {"mtp.fc.weight": (N, 2 * N), "mtp.norm.weight": (N,), "mtp.pre_fc_norm_embedding.weight": (N,),
             "mtp.pre_fc_norm_hidden.weight": (N,)}  # fmt: skip
    return found | (more if with_later else {})


def ling2(config: dict[str, Any], n_later: int = 0) -> dict[str, tuple[int, ...]]:
    n_layer, head_dim = config["num_hidden_layers"], config["head_dim"]
    layers = range(n_layer + n_later)
    found = without_attention(without_ffn(config | {"num_hidden_layers": len(layers)}))
    found["model.word_embeddings.weight"] = found.pop("model.embed_tokens.weight")
    for i in layers:
        hf = f"model.layers.{i}.attention"
        found |= {f"{hf}.query_key_value.weight": (8 * head_dim, N), f"{hf}.dense.weight": (N, 4 * head_dim)}
        found |= {f"{hf}.{part}_layernorm.weight": (head_dim,) for part in ("query", "key")}
    found |= dense([0], N, 96) | deepseek_experts(layers[1:], 4, N, 32, 1, "gate.expert_bias")
    found |= later(config, layers[n_layer:], head=False)
    return found | {f"model.layers.{i}.final_layernorm.weight": (N,) for i in layers[n_layer:]}


def mixed(name: str) -> str:
    return "F32" if "e_score" in name or ".experts.1." in name or name.endswith("norm.weight") else "BF16"


CASES = [
    TinyCase("deepseek-moe", DEEPSEEK | {"rope_scaling": YARN}, dtype=mixed, shards=2, tensors=without_ffn(DEEPSEEK)
             | dense([0], 64, 96) | deepseek_experts([1], 4, 64, 32, 2, "")),
    TinyCase("deepseek2-few-keys", without(DEEPSEEK2, "first_k_dense_replace", "rms_norm_eps", "n_shared_experts")
             | {"tie_word_embeddings": True, "rope_scaling": YARN | {"mscale_all_dim": 0.7}}, "gpt-2",
             tensors=deepseek3(DEEPSEEK2 | {"first_k_dense_replace": 0, "n_shared_experts": 2})),
    TinyCase("deepseek3-mtp-left-out", DEEPSEEK3, "gpt-2", dtype=mixed, tensors=deepseek3(DEEPSEEK3, 1)),
    TinyCase("deepseek3-head-dim", DEEPSEEK3 | {"head_dim": 10, "attention_bias": True, "num_key_value_heads": 4,
                                                "first_k_dense_replace": 2, "num_hidden_layers": 3}, "gpt-2", dtype="F16",
             tensors=deepseek3(DEEPSEEK3 | {"first_k_dense_replace": 2, "num_hidden_layers": 3})
             | {"model.layers.0.self_attn.q_a_proj.bias": (24,), "model.layers.0.self_attn.kv_a_proj_with_mqa.bias": (40,)}),
    TinyCase("deepseek3-kimi", without(DEEPSEEK3, "num_nextn_predict_layers") | {"model_type": "kimi_k2", "rope_scaling":
             {"type": "yarn", "factor": 32.0, "original_max_position_embeddings": 64, "mscale": 1.0, "mscale_all_dim": 1.0,
              "beta_fast": 1.0, "beta_slow": 1.0}}, "gpt-2", tensors=deepseek3(DEEPSEEK3)),
    TinyCase("youtu", without(DEEPSEEK3, *ROUTED, "n_group", "topk_group", "num_nextn_predict_layers", "norm_topk_prob",
                              "routed_scaling_factor", "scoring_func")
             | {"architectures": ["YoutuForCausalLM"], "model_type": "youtu", "tie_word_embeddings": True}, "gpt-2",
             tensors=without_attention(without_ffn(DEEPSEEK3, head=False)) | mla(DEEPSEEK3, range(2)) | dense(range(2), N, 96)),
    TinyCase("granite-moe-few-keys", without(GRANITE_MOE, "rms_norm_eps", "num_local_experts"), dtype="F16", shards=2,
             tensors=granite_moe(GRANITE_MOE, 96, n_expert=8)),
    TinyCase("granite-moe-shared-few-keys", without(GRANITE_MOE, "num_experts_per_tok") | {
        "architectures": ["GraniteMoeSharedForCausalLM"], "model_type": "granitemoeshared",
        "shared_intermediate_size": 64, "head_dim": 16}, tensors=granite_moe(GRANITE_MOE, 96, 64)),
    TinyCase("gpt-oss-few-keys", without(GPT_OSS, "max_position_embeddings", "rms_norm_eps"), "gpt-2", dtype="F16",
             tensors=gpt_oss(GPT_OSS)),
    TinyCase("dbrx", DBRX, "gpt-2", tensors=dbrx(32, 2, 64, 2, 2)),
    TinyCase("llama4-interleaved", LLAMA4 | {"rope_scaling": LLAMA3_ROPE, "no_rope_layer_interval": 2}, "gpt-2",
             tensors=llama4(LLAMA4, (1, 3))),
    TinyCase("llama4-full-attention", LLAMA4 | {"layer_types": ["full_attention"] * 4, "interleave_moe_layer_step": 4},
             "gpt-2", dtype="F32", tensors=llama4(LLAMA4, (3,))),
    TinyCase("minimax-m2", MINIMAX, "gpt-2", dtype=mixed, tensors=minimax(MINIMAX)),
    TinyCase("ling", LING, "gpt-2", tensors=ling(LING)),
    TinyCase("ling-norm-head", LING | {"norm_head": True}, "gpt-2", dtype="F16", tensors=ling(LING)),
    TinyCase("rnd1", RND, "gpt-2", tensors=qwen_like(RND, qk_norm="head")),
    TinyCase("dots1", DOTS, "gpt-2", dtype=mixed, tensors=without_ffn(DOTS, qk_norm="head") | dense([0], N, 96)
             | deepseek_experts([1], 4, N, 32)),
    TinyCase("dots1-stacked", without(DOTS, "first_k_dense_replace", "routed_scaling_factor"), "gpt-2",
             tensors=without_ffn(DOTS, qk_norm="head") | stacked(N, range(2))),
    TinyCase("grove-moe", GROVE, "gpt-2", tensors=qwen_like(GROVE, qk_norm="head")
             | experts("model.layers.0.mlp.chunk_experts", 2, N, 16) | experts("model.layers.1.mlp.chunk_experts", 2, N, 16)
             | {"model.layers.0.mlp.gate.expert_bias": (4,)}),
    TinyCase("llada-moe", LLADA, "gpt-2", tensors=qwen_like(LLADA, qk_norm="head")),
    TinyCase("mellum", MELLUM, "gpt-2", tensors=qwen_like(MELLUM, qk_norm="head")),
    TinyCase("afmoe", AFMOE, tensors=afmoe(AFMOE)),
    TinyCase("smallthinker", SMALL, "gpt-2", tensors=smallthinker(SMALL)),
    TinyCase("exaone-moe", K_EXAONE, "gpt-2", tensors=k_exaone(K_EXAONE)),
    TinyCase("exaone-moe-layer-types", K_EXAONE | {
        "architectures": ["ExaoneMoeForCausalLM"], "layer_types": ["full_attention", "sliding_attention"],
        "rope_scaling": LLAMA3_ROPE}, "gpt-2", tensors=k_exaone(K_EXAONE, with_later=False)),
    TinyCase("ling2", without(LING2, "num_nextn_predict_layers"), "gpt-2", dtype=mixed, tensors=ling2(LING2)),
    TinyCase("ling2-mtp", LING2 | {"num_nextn_predict_layers": 1, "moe_shared_expert_intermediate_size": 32}, "gpt-2",
             tensors=ling2(LING2, 1)),
    TinyCase("sarvam", LING2 | {"architectures": ["SarvamMoEForCausalLM"], "model_type": "sarvam_moe"}, "gpt-2", dtype=mixed,
             tensors=ling2(LING2)),
    TinyCase("maple", MAPLE, "gpt-2", tensors=qwen_like(MAPLE, qk_norm="head")),
]  # fmt: skip
