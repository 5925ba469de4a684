"""Tiny checkpoints of state-space, recurrent and hybrid models."""

from __future__ import annotations

import json
from typing import Any

from tests.tiny import recurrent as r
from tests.tiny.base import BASE, GPT2_VOCAB, POOLED, config
from tests.tiny.decoders import Shapes, feed_forward, linear, norm
from tests.tiny.mixtures import experts
from tests.tiny_checkpoints import TinyCase, without

SMALL: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64}

MAMBA_ORIGINAL = {"architectures": ["MambaLMHeadModel"], "d_model": 32, "n_layer": 2, "vocab_size": 50277, "ssm_cfg": {},
                  "pad_vocab_size_multiple": 8}  # fmt: skip
FALCON_MAMBA = {"architectures": ["FalconMambaForCausalLM"], "model_type": "falcon_mamba", "hidden_size": 64,
                "intermediate_size": 128, "num_hidden_layers": 2, "state_size": 8, "conv_kernel": 3, "time_step_rank": 5,
                "layer_norm_epsilon": 1e-6, "vocab_size": 2041}  # fmt: skip
CODESTRAL = {"architectures": ["Mamba2ForCausalLM"], "model_type": "mamba2", "hidden_size": 64, "expand": 2, "head_dim": 16,
             "num_heads": 8, "n_groups": 2, "state_size": 16, "num_hidden_layers": 2, "vocab_size": 2048,
             "rms_norm_eps": 1e-4}  # fmt: skip
FALCON_H1 = config("FalconH1ForCausalLM", "falcon_h1", mamba_d_ssm=96, mamba_n_heads=6, mamba_d_head=16, mamba_n_groups=2,
                   mamba_d_state=8, mamba_d_conv=4, head_dim=16, rope_theta=1e5, mamba_rms_norm=True,
                   lm_head_multiplier=0.0195, embedding_multiplier=5.6569, mlp_multipliers=[0.8839, 0.625],
                   attention_in_multiplier=1.1, attention_out_multiplier=0.9375, key_multiplier=0.3906,
                   ssm_multipliers=[0.3536, 0.25, 0.1768, 0.5, 0.3125], ssm_in_multiplier=1.25, ssm_out_multiplier=0.2357,
                   ) | GPT2_VOCAB | {"num_key_value_heads": 2}  # fmt: skip
JAMBA = config("JambaForCausalLM", "jamba", num_experts=4, num_hidden_layers=4, attn_layer_period=3, attn_layer_offset=1,
               mamba_d_state=8, mamba_dt_rank="auto", mamba_expand=2)  # fmt: skip
GRANITE = config("GraniteMoeHybridForCausalLM", "granitemoehybrid", num_hidden_layers=3, mamba_n_heads=8, mamba_d_head=16,
                 mamba_n_groups=2, mamba_d_state=8, mamba_d_conv=4, mamba_expand=2, shared_intermediate_size=96,
                 num_local_experts=0, num_experts_per_tok=0,
                 layer_types=["mamba", "attention", "mamba"], attention_multiplier=0.015625, embedding_multiplier=12.0,
                 logits_scaling=8.0, residual_multiplier=0.22, position_embedding_type="nope")  # fmt: skip
BAMBA = config("BambaForCausalLM", "bamba", attn_layer_indices=[1], attn_rotary_emb=8, mamba_n_heads=4, mamba_d_state=8,
               mamba_d_conv=4, mamba_n_groups=1, mamba_expand=2, mamba_d_head=16, rope_theta=5e5,
               ) | GPT2_VOCAB | {"vocab_size": 50261}  # fmt: skip
LFM2 = config("Lfm2ForCausalLM", "lfm2", block_ff_dim=120, theta=5e5, full_attn_idxs=[1], conv_L_cache=3,
              block_multiple_of=16, num_hidden_layers=3, tie_embedding=True) | GPT2_VOCAB  # fmt: skip
LFM2_MOE = config("Lfm2MoeForCausalLM", "lfm2_moe", layer_types=["conv", "full_attention", "conv"], num_dense_layers=1,
                  num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, conv_L_cache=3, norm_eps=1e-5,
                  num_hidden_layers=3, rope_theta=1e6, use_expert_bias=True) | GPT2_VOCAB  # fmt: skip
NET: dict[str, Any] = {"linear_num_key_heads": 2, "linear_num_value_heads": 6, "linear_key_head_dim": 16,
                       "linear_value_head_dim": 16, "linear_conv_kernel_dim": 4, "head_dim": 16}  # fmt: skip
SPARSE: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
                          "shared_expert_intermediate_size": 64}  # fmt: skip
QWEN3_NEXT = config("Qwen3NextForCausalLM", "qwen3_next", **NET, **SPARSE, full_attention_interval=2) | GPT2_VOCAB
QWEN35_TEXT = without(BASE | NET | GPT2_VOCAB, "architectures") | {
    "model_type": "qwen3_5_text", "layer_types": ["linear_attention", "full_attention"], "mtp_num_hidden_layers": 1,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e7, "partial_rotary_factor": 0.5},
}  # fmt: skip
QWEN35 = {"architectures": ["Qwen3_5ForConditionalGeneration"], "model_type": "qwen3_5", "text_config": QWEN35_TEXT,
          "vision_config": {"depth": 1}, "tie_word_embeddings": True}  # fmt: skip
QWEN35_MOE = config("Qwen3_5MoeForCausalLM", "qwen3_5_moe_text", **NET, **SPARSE, full_attention_interval=2,
                    mtp_num_hidden_layers=1, rope_parameters={
                        "rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.5},
                    ) | GPT2_VOCAB | {"linear_num_value_heads": 2}  # fmt: skip
WORLD = (
    "".join(f"{i + 1} {bytes([i])!r} 1\n" for i in range(256)) + "257 '\\r\\n' 2\n258 \"'s\" 2\n259 '\\u00df\\x41' 3\n"
)
RWKV6 = {"architectures": ["Rwkv6ForCausalLM"], "model_type": "rwkv6", "hidden_size": 32, "intermediate_size": None,
         "num_hidden_layers": 3, "head_size": 16, "layer_norm_epsilon": 1e-5, "rescale_every": 1, "vocab_size": 288,
         "bos_token_id": 0, "eos_token_id": 0}  # fmt: skip
RWKV6_QWEN2 = config("RWKV6Qwen2ForCausalLM", "rwkv6qwen2", lora_rank_tokenshift=8, lora_rank_decay=16)
RWKV7 = {"architectures": ["Rwkv7ForCausalLM"], "model_type": "rwkv7", "hidden_size": 32, "intermediate_size": None,
         "num_hidden_layers": 2, "head_size": 16, "layer_norm_epsilon": 1e-5, "lora_rank_decay": None, "lora_rank_iclr": 16,
         "lora_rank_value_residual_mix": None, "lora_rank_gate": None, "vocab_size": 300}  # fmt: skip
ARWKV7 = config("RwkvHybridForCausalLM", "rwkv_hybrid", head_size=16, wkv_version=7, wkv_has_gate=False)
PLAMO_TOKENS = "\n".join(json.dumps([token, -float(i), kind]) for i, (token, kind) in enumerate(
    [("<|plamo:unk|>", "UNKNOWN"), ("<|plamo:bos|>", "CONTROL"), ("<|plamo:eos|>", "CONTROL"), ("<|plamo:pad|>", "CONTROL"),
     ("<|plamo:op|>", "CONTROL"), ("<|plamo:x|>", "NORMAL"), ("ん", "NORMAL"), ("a", "NORMAL"), ("ab", "NORMAL")]
    + [(f"<0x{i:02X}>", "BYTE") for i in range(256)]
)) + "\n"  # fmt: skip
PLAMO_FILES = {"tokenizer.jsonl": PLAMO_TOKENS, "tokenizer_config.json": {
    "bos_token": "<|plamo:bos|>", "eos_token": "<|plamo:eos|>", "pad_token": "<|plamo:pad|>", "unk_token": "<|plamo:unk|>",
    "chat_template": "{{ messages }}"}}  # fmt: skip
PLAMO2 = {"architectures": ["Plamo2ForCausalLM"], "model_type": "plamo2", "hidden_size": 64, "intermediate_size": 96,
          "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size_per_head": 16,
          "mamba_num_heads": 4, "mamba_d_state": 8, "mamba_step": 2, "vocab_size": 272}  # fmt: skip
PLAMO3 = config("Plamo3ForCausalLM", "plamo3", head_dim=16, window_size=64, sliding_window_pattern=8, vocab_size=272,
                rope_scaling_factor=4, initial_context_length=128, rope_theta=10000)  # fmt: skip
KIMI = config("KimiLinearForCausalLM", "kimi_linear", num_experts=4, num_experts_per_token=2, moe_intermediate_size=32,
              num_shared_experts=1, first_k_dense_replace=1, routed_scaling_factor=2.5, kv_lora_rank=32, q_lora_rank=None,
              qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16, head_dim=9, num_hidden_layers=3,
              moe_router_activation_func="sigmoid", linear_attn_config={
                  "full_attn_layers": [3], "kda_layers": [1, 2], "head_dim": 16, "num_heads": 4, "short_conv_kernel_size": 4},
              ) | GPT2_VOCAB | {"num_key_value_heads": 4}  # fmt: skip
NEMOTRON = config("NemotronHForCausalLM", "nemotron_h", hybrid_override_pattern="M*-", mamba_num_heads=8, mamba_head_dim=16,
                  ssm_state_size=8, conv_kernel=4, n_groups=2, expand=2, attention_head_dim=16, num_hidden_layers=3,
                  layer_norm_epsilon=1e-5) | GPT2_VOCAB | {"vocab_size": 50261}  # fmt: skip
NEMOTRON_MOE = NEMOTRON | GPT2_VOCAB | {
    "hybrid_override_pattern": "ME*", "num_experts_per_tok": 2, "n_routed_experts": 4, "moe_intermediate_size": 32,
    "moe_shared_expert_intermediate_size": 48, "n_shared_experts": 1, "norm_topk_prob": True, "routed_scaling_factor": 2.5,
    "n_group": 1, "topk_group": 1, "moe_latent_size": 16, "num_nextn_predict_layers": 1, "head_dim": 16,
}  # fmt: skip


def mamba_model(n_vocab: int, embedding: str, head: bool = True) -> Shapes:
    found = r.ends(n_vocab, 32, embedding, "backbone.norm_f", "lm_head" if head else "")
    for i in range(2):
        found |= norm(f"backbone.layers.{i}.norm", 32) | r.mamba(f"backbone.layers.{i}.mixer", 32, 64, 16, 2)
    return found


def falcon_mamba() -> Shapes:
    found = r.ends(2041, 64, "backbone.embeddings", "backbone.norm_f")
    for i in range(2):
        found |= norm(f"backbone.layers.{i}.norm", 64) | r.mamba(f"backbone.layers.{i}.mixer", 64, 128, 8, 5, 3)
    return found


def codestral() -> Shapes:
    found = r.ends(2048, 64, "model.backbone.embeddings", "model.backbone.norm_f", "model.lm_head")
    for i in range(2):
        hf = f"model.backbone.layers.{i}"
        found |= norm(f"{hf}.norm", 64) | r.mamba2(f"{hf}.mixer", 64, 128, 16, 8, 2, bias=True)
    return found


def falcon_h1() -> Shapes:
    found = r.ends(50304, 32, "model.embed_tokens", "model.final_layernorm", "lm_head")
    for i in range(2):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.pre_ff_layernorm", 32)
        found |= r.mamba2(f"{hf}.mamba", 32, 96, 8, 6, 2) | r.attention(f"{hf}.self_attn", 32, 64, 32)
        found |= feed_forward(f"{hf}.feed_forward", 32, 96, r.GATED)
    return found


def jamba(part: str, dense: str) -> Shapes:
    found = r.ends(2048, 64, "model.embed_tokens", "model.final_layernorm", "lm_head")
    for i in range(4):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.input_layernorm", 64) | norm(f"{hf}.pre_ff_layernorm", 64)
        if i == 1:
            found |= r.attention(f"{hf}.self_attn", 64, 64, 32)
        else:
            found |= r.mamba(f"{hf}.mamba", 64, 128, 8, 4)
            for name, size in (("dt", 4), ("b", 8), ("c", 8)):
                found |= norm(f"{hf}.mamba.{name}_layernorm", size)
        if i % 2:
            found |= linear(f"{hf}.{part}.router", 4, 64) | experts(f"{hf}.{part}.experts", 4, 64, 96)
        else:
            found |= feed_forward(f"{hf}.{dense}", 64, 96, r.GATED)
    return found


def granite(case: dict[str, Any], attending: tuple[int, ...]) -> Shapes:
    found = r.ends(case["vocab_size"], 64, "model.embed_tokens", "model.norm")
    for i in range(case["num_hidden_layers"]):
        found |= r.granite_layer(case, i, attending=i in attending)
    return found


def bamba() -> Shapes:
    found = r.ends(50261, 32, "model.embed_tokens", "model.final_layernorm", "lm_head")
    for i in range(2):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.pre_ff_layernorm", 32)
        found |= r.attention(f"{hf}.self_attn", 32, 32, 16) if i else r.mamba2(f"{hf}.mamba", 32, 64, 8, 4, 1)
        found |= feed_forward(f"{hf}.feed_forward", 32, 96, r.GATED)
    return found


def lfm2(n_ff: int, prefix: str = "model.", n_expert: int = 0) -> Shapes:
    found = r.ends(50304, 32, f"{prefix}embed_tokens", f"{prefix}embedding_norm")
    for i in range(3):
        sparse = n_expert if i else 0
        found |= r.lfm2_layer(f"{prefix}layers.{i}", 32, 32 if sparse else n_ff, attending=i == 1, n_expert=sparse)
    return found


def qwen_next(case: dict[str, Any], kinds: str, together: bool, mtp: str = "", stacked: bool = False, prefix: str = "model.",
              head: str = "") -> Shapes:  # fmt: skip
    found = r.ends(50304, 32, f"{prefix}embed_tokens", f"{prefix}norm", head)
    for i, kind in enumerate(kinds):
        found |= r.delta_layer(case, f"{prefix}layers.{i}", full=kind == "f", together=together, stacked=stacked)
    if mtp:
        found |= r.predicting(mtp, 32) | r.delta_layer(
            case, f"{mtp}.layers.0", full=True, together=together, stacked=stacked
        )
    return found


def rwkv6_qwen2() -> Shapes:
    found = r.ends(2048, 64, "model.embed_tokens", "model.norm", "lm_head")
    for i in range(2):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.input_layernorm", 64) | norm(f"{hf}.post_attention_layernorm", 64)
        found |= {name: shape for name, shape in r.attention(f"{hf}.self_attn", 64, 64, 32).items()}
        found |= {f"{hf}.self_attn.q_proj.bias": (64,), f"{hf}.self_attn.v_proj.bias": (32,)}
        found |= linear(f"{hf}.self_attn.gate", 64, 64) | r.mixing(f"{hf}.self_attn", 64, 8, 16)
        found |= feed_forward(f"{hf}.mlp", 64, 96, r.GATED)
    return found


def rwkv7(mixed: str) -> Shapes:
    found = r.ends(300, 32, "model.embeddings", "model.norm", "lm_head", bias=True)
    found |= norm("model.layers.0.pre_norm", 32, True)
    for i in range(2):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.ln1", 32, True) | norm(f"{hf}.ln2", 32, True)
        found |= r.rwkv7(f"{hf}.attention", 32, mixed=mixed) | norm(f"{hf}.attention.ln_x", 32, True)
        found |= {f"{hf}.feed_forward.x_k": (1, 1, 32)}
        found |= linear(f"{hf}.feed_forward.key", 128, 32) | linear(f"{hf}.feed_forward.value", 32, 128)
    return found


def arwkv7() -> Shapes:
    found = r.ends(2048, 64, "model.embed_tokens", "model.norm", "lm_head")
    for i in range(2):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.input_layernorm", 64) | norm(f"{hf}.post_attention_layernorm", 64)
        found |= r.rwkv7(f"{hf}.self_attn.time_mixer", 64, mixed="rwkva", ranks=(64, 64, 32, 0))
        found |= feed_forward(f"{hf}.mlp", 64, 96, r.GATED)
    return found


def plamo(n: int) -> Shapes:
    found = r.ends(272, 64, "model.embed_tokens", "model.norm")
    for i in range(2):
        hf = f"model.layers.layers.{i}"
        for name in ("pre_mixer_norm", "post_mixer_norm", "pre_mlp_norm", "post_mlp_norm"):
            found |= norm(f"{hf}.{name}", 64)
        found |= linear(f"{hf}.mlp.gate_up_proj", 192, 64) | linear(f"{hf}.mlp.down_proj", 64, 96)
        mixer = f"{hf}.mixer"
        if n == 2 and i == 0:
            found |= linear(f"{mixer}.in_proj", 128, 64) | linear(f"{mixer}.bcdt_proj", 80, 64)
            found |= linear(f"{mixer}.dt_proj", 4, 64) | linear(f"{mixer}.out_proj", 64, 64)
            found |= {
                f"{mixer}.conv1d.weight": (64, 1, 4),
                f"{mixer}.A_log": (4,),
                f"{mixer}.D": (4,),
                f"{mixer}.dt_bias": (4,),
            }
            found |= {f"{mixer}.dt_norm_weight": (64,), f"{mixer}.B_norm_weight": (8,), f"{mixer}.C_norm_weight": (8,)}
            continue
        found |= linear(f"{mixer}.qkv_proj", 128, 64) | linear(f"{mixer}.o_proj", 64, 64)
        if n == 2:
            found |= {f"{mixer}.q_weight": (4, 16), f"{mixer}.k_weight": (2, 16)}
        else:
            found |= norm(f"{mixer}.q_norm", 16) | norm(f"{mixer}.k_norm", 16)
    return found


def kimi() -> Shapes:
    found = r.ends(50304, 32, "model.embed_tokens", "model.norm", "lm_head")
    for i in range(3):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.post_attention_layernorm", 32)
        a = f"{hf}.self_attn"
        found |= linear(f"{a}.o_proj", 32, 64)
        if i == 2:
            found |= linear(f"{a}.q_proj", 96, 32) | linear(f"{a}.kv_a_proj_with_mqa", 40, 32)
            found |= norm(f"{a}.kv_a_layernorm", 32) | linear(f"{a}.kv_b_proj", 128, 32)
        else:
            for x in "qkv":
                found |= linear(f"{a}.{x}_proj", 64, 32) | {f"{a}.{x}_conv1d.weight": (64, 1, 4) if i else (64, 4)}
            found |= (
                {f"{a}.A_log": (1, 1, 4, 1), f"{a}.dt_bias": (64,)}
                | norm(f"{a}.o_norm", 16)
                | linear(f"{a}.b_proj", 4, 32)
            )
            for x in "fg":
                found |= linear(f"{a}.{x}_a_proj", 16, 32) | linear(f"{a}.{x}_b_proj", 64, 16)
        if not i:
            found |= feed_forward(f"{hf}.mlp", 32, 96, r.GATED)
            continue
        sparse = f"{hf}.block_sparse_moe"
        found |= linear(f"{sparse}.gate", 4, 32) | {f"{sparse}.gate.e_score_correction_bias": (4,)}
        found |= experts(f"{sparse}.experts", 4, 32, 32, "w1 w3 w2")
        found |= feed_forward(f"{sparse}.shared_experts", 32, 32, r.GATED)
    return found


def nemotron(pattern: str, n_vocab: int, mtp: bool = False, experts_of: tuple[int, ...] = ()) -> Shapes:
    found = r.ends(n_vocab, 32, "backbone.embeddings", "backbone.norm_f", "lm_head")
    for i, kind in enumerate(pattern):
        hf = f"backbone.layers.{i}"
        found |= norm(f"{hf}.norm", 32) | nemotron_mixer(f"{hf}.mixer", kind, experts_of[i] if experts_of else 32)
    if mtp:
        for name in ("norm", "enorm", "hnorm"):
            found |= norm(f"mtp.layers.0.{name}", 32)
        found |= linear("mtp.layers.0.eh_proj", 32, 64) | nemotron_mixer("mtp.layers.0.mixer", "*")
        found |= norm("mtp.layers.1.norm", 32) | norm("mtp.layers.1.final_layernorm", 32)
        found |= nemotron_mixer("mtp.layers.1.mixer", "E")
    return found


def nemotron_mixer(hf: str, kind: str, n_ff: int = 32) -> Shapes:
    if kind == "M":
        return r.mamba2(hf, 32, 128, 8, 8, 2)
    if kind == "*":
        return r.attention(hf, 32, 64, 32)
    if kind == "-":
        return linear(f"{hf}.up_proj", 96, 32) | linear(f"{hf}.down_proj", 32, 96)
    found = linear(f"{hf}.gate", 4, 32) | {f"{hf}.gate.e_score_correction_bias": (4,)}
    found |= experts(f"{hf}.experts", 4, 16, n_ff, "up_proj down_proj")
    found |= linear(f"{hf}.fc1_latent_proj", 16, 32) | linear(f"{hf}.fc2_latent_proj", 32, 16)
    return found | feed_forward(f"{hf}.shared_experts", 32, 48, "up_proj down_proj")


GRANITE_MOE = GRANITE | {"num_local_experts": 4, "num_experts_per_tok": 2, "layer_types": ["attention"] * 3}
VISION: Shapes = {"model.visual.blocks.0.attn.qkv.weight": (8, 8), "model.visual.patch_embed.proj.weight": (8, 3)}

CASES = [
    TinyCase("mamba-original", MAMBA_ORIGINAL, "gpt-2", dtype="F32", tensors=mamba_model(50280, "backbone.embedding")),
    TinyCase("falcon-mamba-f16", FALCON_MAMBA, dtype="F16", tensors=falcon_mamba()),
    TinyCase("mamba2-codestral", CODESTRAL, tensors=codestral()),
    TinyCase("falcon-h1-factors", FALCON_H1, "gpt-2", tensors=falcon_h1()),
    TinyCase("falcon-h1-f16", without(FALCON_H1, "max_position_embeddings", "rms_norm_eps") | {"key_multiplier": 1.0},
             "gpt-2", dtype="F16", tensors=falcon_h1()),
    TinyCase("jamba-no-rank", JAMBA, tensors=jamba("feed_forward", "feed_forward")),
    TinyCase("jamba-mini-names", without(JAMBA, "rms_norm_eps", "max_position_embeddings"), dtype="F16",
             tensors=jamba("moe", "moe.experts.0")),
    TinyCase("granite-hybrid-dense", GRANITE, tensors=granite(GRANITE, (1,))),
    TinyCase("granite-hybrid-no-mamba", without(GRANITE_MOE, "head_dim"), dtype="F16", tensors=granite(GRANITE_MOE, (0, 1, 2))),
    TinyCase("bamba", BAMBA, "gpt-2", tensors=bamba()),
    TinyCase("lfm2-first-keys", without(LFM2, "rms_norm_eps"), "gpt-2", tensors=lfm2(80)),
    TinyCase("lfm2-both-ways", without(LFM2, "rms_norm_eps", "block_ff_dim", "theta")
             | {"architectures": ["Lfm2BidirectionalModel"], "block_auto_adjust_ff_dim": False, "is_causal": False}, "gpt-2",
             files=POOLED, dtype="F32", tensors=lfm2(96, "")),
    TinyCase("lfm2-dense-behind", without(LFM2, "rms_norm_eps", "block_ff_dim", "theta")
             | {"architectures": ["Lfm2Model"], "block_auto_adjust_ff_dim": False}, "gpt-2", files=POOLED,
             tensors=lfm2(96, "") | {"1_Dense/model.safetensors:linear.weight": (24, 32)}),
    TinyCase("lfm2-audio-model", {"architectures": ["Lfm2AudioForConditionalGeneration"], "model_type": "lfm2_audio", "lfm":
             LFM2 | {"layer_types": ["conv", "full_attention", "conv"], "norm_eps": 1e-5, "block_auto_adjust_ff_dim": True,
             "block_ffn_dim_multiplier": 1.0}}, "gpt-2", tensors=r.behind_lfm(lfm2(80)) | {
                 "conformer.layers.0.a.weight": (8, 8), "depthformer.layers.0.a.weight": (8, 8), "depth_linear.weight": (8, 8),
                 "audio_adapter.model.0.weight": (8,), "depth_embeddings.0.a.weight": (8, 8), "codebook_offsets": (8,)}),
    TinyCase("lfm2-audio-tokenizer", without(LFM2, "rms_norm_eps", "theta") | {
        "architectures": ["Lfm25AudioTokenizer"], "sliding_window": 30, "output_size": 66}, "none", tensors={
            name: shape for name, shape in r.behind_lfm(lfm2(80)).items() if "embed_tokens" not in name}
            | linear("lin", 66, 32, True) | {"istft.window": (16,), "emb.emb.weight": (16, 32)}),
    TinyCase("lfm2-moe", LFM2_MOE, "gpt-2", tensors=lfm2(96, n_expert=4)),
    TinyCase("qwen3-next-mtp", QWEN3_NEXT, "gpt-2", tensors=qwen_next(QWEN3_NEXT, "lf", True, "mtp", head="lm_head")),
    TinyCase("qwen3.5-vision-mtp", QWEN35, "gpt-2", tensors=VISION | qwen_next(
        QWEN35_TEXT, "lf", False, "mtp", prefix="model.language_model.")),
    TinyCase("qwen3.5-moe-stacked", QWEN35_MOE, "gpt-2", dtype="F16",
             tensors=qwen_next(QWEN35_MOE, "lf", False, "mtp", stacked=True)),
    TinyCase("rwkv6-halved", RWKV6, "none", files={"rwkv_vocab_v20230424.txt": WORLD}, tensors=r.rwkv6(3, 32, 96, 288)),
    TinyCase("rwkv6-f16", RWKV6 | {"rescale_every": 2, "intermediate_size": 96}, "none", dtype="F16",
             files={"rwkv_vocab_v20230424.txt": WORLD, "tokenizer_config.json": {"chat_template": "{{ x }}", "unk_token": "a"}},
             tensors=r.rwkv6(3, 32, 96, 288)),
    TinyCase("rwkv6-qwen2", RWKV6_QWEN2, tensors=rwkv6_qwen2()),
    TinyCase("rwkv7-matrices", RWKV7, "none", files={"rwkv_vocab_v20230424.txt": WORLD}, tensors=rwkv7("rwkvag")),
    TinyCase("rwkv7-one-vector", RWKV7, "none", dtype="F32", files={"rwkv_vocab_v20230424.txt": WORLD}, tensors=rwkv7("x")),
    TinyCase("arwkv7-no-gate", ARWKV7, tensors=arwkv7()),
    TinyCase("plamo2", PLAMO2, "none", files=PLAMO_FILES, tensors=plamo(2)),
    TinyCase("plamo3", PLAMO3, "none", files=PLAMO_FILES, dtype="F16", tensors=plamo(3)),
    TinyCase("kimi-linear", KIMI, "gpt-2", tensors=kimi()),
    TinyCase("nemotron-h", NEMOTRON, "gpt-2", tensors=nemotron("M*-", 50261)),
    TinyCase("nemotron-h-moe-mtp", NEMOTRON_MOE, "gpt-2", dtype="F32", tensors=nemotron("ME*", 50304, mtp=True)),
]  # fmt: skip
