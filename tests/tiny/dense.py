"""Tiny checkpoints of dense decoders and of the first mixtures of experts."""

from __future__ import annotations

from tests.tiny.base import GPT2_VOCAB, POOLED, config
from tests.tiny.decoders import bloom, decoder, exaone, falcon, gpt2, phi2, stacked_experts
from tests.tiny_checkpoints import LLAMA3_ROPE, YARN, TinyCase, without

QWEN2 = config("Qwen2ForCausalLM", "qwen2", rope_theta=1e6)
QWEN3 = config("Qwen3ForCausalLM", "qwen3", head_dim=32, rope_theta=1e6)
SMOLLM3 = config("SmolLM3ForCausalLM", "smollm3")
ARCEE = config("ArceeForCausalLM", "arcee", hidden_act="relu2")
QWEN2_MOE = config("Qwen2MoeForCausalLM", "qwen2_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
                   shared_expert_intermediate_size=64) | GPT2_VOCAB  # fmt: skip
QWEN3_MOE = config("Qwen3MoeForCausalLM", "qwen3_moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
                   head_dim=8, num_hidden_layers=3) | GPT2_VOCAB  # fmt: skip
OLMOE = config("OlmoeForCausalLM", "olmoe", num_experts=4, num_experts_per_tok=2, intermediate_size=32) | GPT2_VOCAB
STARCODER2 = config("Starcoder2ForCausalLM", "starcoder2", norm_epsilon=1e-5, sliding_window=64) | GPT2_VOCAB
OLMO = config("OlmoForCausalLM", "olmo", clip_qkv=8.0) | GPT2_VOCAB
OLMO2 = config("Olmo2ForCausalLM", "olmo2") | GPT2_VOCAB
OLMO3 = config("Olmo3ForCausalLM", "olmo3", sliding_window=64, num_hidden_layers=5) | GPT2_VOCAB
GRANITE = config("GraniteForCausalLM", "granite", attention_multiplier=0.02, embedding_multiplier=12.0, logits_scaling=8.0,
                 residual_multiplier=0.22)  # fmt: skip
GEMMA = config("GemmaForCausalLM", "gemma", head_dim=32)
GEMMA2 = config("Gemma2ForCausalLM", "gemma2", head_dim=32, sliding_window=64)
STABLELM = config("StableLmForCausalLM", "stablelm", layer_norm_eps=1e-5, partial_rotary_factor=0.25) | GPT2_VOCAB
COHERE = config("CohereForCausalLM", "cohere", layer_norm_eps=1e-5, logit_scale=0.25) | GPT2_VOCAB
SEED_OSS = config("SeedOssForCausalLM", "seed_oss", head_dim=16) | GPT2_VOCAB
PHI2 = config("PhiForCausalLM", "phi", layer_norm_eps=1e-5, num_key_value_heads=4, intermediate_size=128) | GPT2_VOCAB
ORION = without(config("OrionForCausalLM", "orion", max_sequence_length=256), "max_position_embeddings")
NEMOTRON = without(config("NemotronForCausalLM", "nemotron", norm_eps=1e-5, head_dim=16), "rms_norm_eps")
EXAONE = config("ExaoneForCausalLM", "exaone", activation_function="silu", layer_norm_epsilon=1e-5) | GPT2_VOCAB
EXAONE4 = config("Exaone4ForCausalLM", "exaone4", num_hidden_layers=4) | GPT2_VOCAB
GPT2 = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_ctx": 64,
        "n_positions": 64, "vocab_size": 50304}  # fmt: skip
BLOOM = {"architectures": ["BloomForCausalLM"], "model_type": "bloom", "hidden_size": 32, "n_layer": 2, "n_head": 4,
         "vocab_size": 50304, "layer_norm_epsilon": 1e-6}  # fmt: skip
FALCON = {"architectures": ["FalconForCausalLM"], "model_type": "falcon", "hidden_size": 32, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_kv_heads": 2, "new_decoder_architecture": True, "vocab_size": 50304}  # fmt: skip
GATED = "gate_proj up_proj down_proj"
AROUND = "input_layernorm post_attention_layernorm pre_feedforward_layernorm post_feedforward_layernorm"
BEHIND = "post_attention_layernorm post_feedforward_layernorm"

CASES = [
    TinyCase("qwen2", QWEN2, tensors=decoder(QWEN2, qkv_bias=True)),
    TinyCase("qwen2-yarn-tied", QWEN2 | {"rope_scaling": YARN, "use_sliding_window": True, "sliding_window": 64},
             shards=2, dtype="F16", tensors=decoder(QWEN2, qkv_bias=True, head=False)),
    TinyCase("qwen2-bare-pooled", QWEN2 | {"architectures": ["Qwen2Model"]}, files=POOLED, dtype="F32",
             tensors=decoder(QWEN2, qkv_bias=True, prefix="", head=False)),
    TinyCase("qwen2-few-keys", without(QWEN2, "max_position_embeddings", "rms_norm_eps", "rope_theta", "num_key_value_heads"),
             tensors=decoder(QWEN2 | {"num_key_value_heads": 32, "head_dim": 16}, qkv_bias=True)),
    TinyCase("kormo", QWEN2 | {"architectures": ["KORMoForCausalLM"], "model_type": "kormo"}, tensors=decoder(QWEN2)),
    TinyCase("qwen3", QWEN3, tensors=decoder(QWEN3, qk_norm="head")),
    TinyCase("qwen3-few-keys",
             without(QWEN3, "head_dim", "rope_theta") | {"rope_scaling": {"factor": 2.0}, "attention_bias": True},
             tensors=decoder(without(QWEN3, "head_dim"), qk_norm="head", qkv_bias=True, o_bias=True)),
    TinyCase("qwen3-model-pooled", QWEN3 | {"architectures": ["Qwen3Model"]}, files=POOLED,
             tensors=decoder(QWEN3, qk_norm="head", head=False)),
    TinyCase("smollm3", SMOLLM3 | {"rope_scaling": {"type": "linear", "factor": 2.0}}, tensors=decoder(SMOLLM3, head=False)),
    TinyCase("smollm3-llama3-rope", without(SMOLLM3, "rms_norm_eps") | {"rope_scaling": LLAMA3_ROPE, "attention_bias": True},
             tensors=decoder(SMOLLM3, qkv_bias=True, o_bias=True)),
    TinyCase("arcee", ARCEE | {"rope_scaling": YARN}, tensors=decoder(ARCEE, mlp="up_proj down_proj")),
    TinyCase("arcee-head-dim", ARCEE | {"head_dim": 32, "mlp_bias": True}, files=POOLED,
             tensors=decoder(ARCEE | {"head_dim": 32}, mlp="up_proj down_proj", mlp_bias=True)),
    TinyCase("qwen2-moe", QWEN2_MOE, "gpt-2", tensors=decoder(
        QWEN2_MOE, qkv_bias=True, experts=GATED, n_ff_exp=32, n_ff_shexp=64)),
    TinyCase("qwen2-moe-few-keys", without(QWEN2_MOE, "shared_expert_intermediate_size", "num_key_value_heads", "rms_norm_eps")
             | {"num_key_value_heads": 4}, "gpt-2", dtype="F16", tensors=decoder(
        QWEN2_MOE | {"num_key_value_heads": 4}, qkv_bias=True, experts=GATED, n_ff_exp=32, n_ff_shexp=5632)),
    TinyCase("qwen3-moe", QWEN3_MOE, "gpt-2", shards=2, tensors=decoder(
        QWEN3_MOE, qk_norm="head", experts=GATED, n_ff_exp=32)),
    TinyCase("qwen3-moe-stacked", QWEN3_MOE, "gpt-2", tensors=stacked_experts(QWEN3_MOE, 4, 32)),
    TinyCase("olmoe", OLMOE, "gpt-2", tensors=decoder(OLMOE, qk_norm="full", experts=GATED, n_ff_exp=32)),
    TinyCase("starcoder2", STARCODER2, "gpt-2", tensors=decoder(
        STARCODER2, qkv_bias=True, o_bias=True, mlp_bias=True, norm_bias=True, mlp="c_fc c_proj", head=False)),
    TinyCase("starcoder2-few-keys", without(STARCODER2, "norm_epsilon", "max_position_embeddings", "rms_norm_eps"), "gpt-2",
             dtype="F32", tensors=decoder(STARCODER2, norm_bias=True, mlp="c_fc c_proj")),
    TinyCase("olmo", without(OLMO, "rms_norm_eps"), "gpt-2", tensors=decoder(OLMO, norms="", last_norm="")),
    TinyCase("olmo-linear-rope", OLMO | {"clip_qkv": None, "rope_scaling": {"type": "linear", "factor": 2.0}}, "gpt-2",
             tensors=decoder(OLMO, norms="", last_norm="", head=False)),
    TinyCase("olmo-refused-rope", OLMO | {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "gpt-2",
             tensors=decoder(OLMO, norms="", last_norm="")),
    TinyCase("olmo2", OLMO2, "gpt-2", tensors=decoder(OLMO2, qk_norm="full", norms=BEHIND)),
    TinyCase("olmo3", OLMO3 | {"rope_scaling": YARN}, "gpt-2", tensors=decoder(OLMO3, qk_norm="full", norms=BEHIND)),
    TinyCase("olmo3-few-keys", without(OLMO3, "sliding_window", "rms_norm_eps", "num_key_value_heads"), "gpt-2",
             tensors=decoder(without(OLMO3, "num_key_value_heads"), qk_norm="full", norms=BEHIND)),
    TinyCase("olmo3-layer-types", OLMO3 | {"layer_types": ["full_attention"] * 3 + ["sliding_attention"] * 2}, "gpt-2",
             tensors=decoder(OLMO3, qk_norm="full", norms=BEHIND, head=False)),
    TinyCase("granite", GRANITE | {"tie_word_embeddings": True}, tensors=decoder(GRANITE, head=False)),
    TinyCase("granite-few-keys", without(GRANITE, "attention_multiplier", "logits_scaling", "rms_norm_eps")
             | {"head_dim": 16, "attention_bias": True, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
             tensors=decoder(GRANITE, qkv_bias=True, o_bias=True)),
    TinyCase("gemma", GEMMA, tensors=decoder(GEMMA, head=False)),
    TinyCase("gemma-f16-with-head", without(GEMMA, "rms_norm_eps", "max_position_embeddings"), dtype="F16",
             tensors=decoder(GEMMA)),
    TinyCase("gemma2", GEMMA2, tensors=decoder(GEMMA2, norms=AROUND, head=False)),
    TinyCase("gemma2-f32", GEMMA2 | {"attn_logit_softcapping": 40.0, "final_logit_softcapping": 20.0}, dtype="F32",
             tensors=decoder(GEMMA2, norms=AROUND)),
    TinyCase("stablelm", STABLELM, "gpt-2", tensors=decoder(STABLELM, qkv_bias=True, norm_bias=True)),
    TinyCase("stablelm-parallel", STABLELM | {"use_parallel_residual": True, "partial_rotary_factor": 0.5}, "gpt-2",
             tensors=decoder(STABLELM, norm_bias=True, norms="input_layernorm")),
    TinyCase("stablelm-epoch", without(STABLELM, "partial_rotary_factor", "layer_norm_eps")
             | {"architectures": ["StableLMEpochForCausalLM"], "model_type": "epoch", "rope_pct": 0.25, "norm_eps": 1e-6},
             "gpt-2", tensors=decoder(STABLELM, norm_bias=True)),
    TinyCase("cohere", COHERE | {"model_max_length": 4096}, "gpt-2", tensors=decoder(
        COHERE, norms="input_layernorm", head=False)),
    TinyCase("cohere-qk-norm", COHERE | {"rope_scaling": {"type": "linear", "factor": 2.0}}, "gpt-2", tensors=decoder(
        COHERE, norms="input_layernorm", head=False) | {
            f"model.layers.{i}.self_attn.{part}_norm.weight": (n, 8) for i in (0, 1) for part, n in (("q", 4), ("k", 2))}),
    TinyCase("cohere2", COHERE | {"architectures": ["Cohere2ForCausalLM"], "model_type": "cohere2", "rotary_pct": 1.0,
                                  "sliding_window": 64}, "gpt-2", tensors=decoder(
        COHERE, norms="input_layernorm", head=False)),
    TinyCase("cohere2-head-dim", COHERE | {"architectures": ["Cohere2ForCausalLM"], "model_type": "cohere2",
                                           "rotary_pct": 1.0, "head_dim": 16}, "gpt-2", tensors=decoder(
        COHERE | {"head_dim": 16}, norms="input_layernorm", head=False)),
    TinyCase("seed-oss", SEED_OSS, "gpt-2", tensors=decoder(SEED_OSS, qkv_bias=True)),
    TinyCase("seed-oss-few-keys", without(SEED_OSS, "head_dim", "rms_norm_eps"), "gpt-2", tensors=decoder(
        without(SEED_OSS, "head_dim") | {"head_dim": 128}, qkv_bias=True, o_bias=True)),
    TinyCase("phi2", PHI2, "gpt-2", tensors=phi2(PHI2)),
    TinyCase("phi2-few-keys", without(PHI2, "layer_norm_eps", "max_position_embeddings", "num_key_value_heads")
             | {"partial_rotary_factor": 0.75}, "gpt-2", dtype="F16", tensors=phi2(PHI2)),
    TinyCase("orion", ORION, tensors=decoder(ORION, norm_bias=True)),
    TinyCase("nemotron", NEMOTRON, tensors=decoder(NEMOTRON, norm_bias=True, mlp="up_proj down_proj")),
    TinyCase("nemotron-linear-rope", without(NEMOTRON, "head_dim", "norm_eps")
             | {"partial_rotary_factor": 0.25, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}, dtype="F16",
             tensors=decoder(NEMOTRON, norm_bias=True, mlp="up_proj down_proj", qkv_bias=True, mlp_bias=True)),
    TinyCase("exaone", EXAONE | {"rope_scaling": LLAMA3_ROPE, "rope_theta": 1e6}, "gpt-2", tensors=exaone(EXAONE)),
    TinyCase("exaone4", EXAONE4 | {"sliding_window": 64}, "gpt-2", tensors=decoder(EXAONE4, qk_norm="head", norms=BEHIND)),
    TinyCase("exaone4-no-window", EXAONE4 | {"sliding_window": None, "rope_scaling": LLAMA3_ROPE}, "gpt-2",
             tensors=decoder(EXAONE4, qk_norm="head", norms=BEHIND, head=False)),
    TinyCase("exaone4-all-full", EXAONE4 | {"sliding_window": None, "layer_types": ["full_attention"] * 4}, "gpt-2",
             tensors=decoder(EXAONE4, qk_norm="head", norms=BEHIND)),
    TinyCase("gpt2", GPT2, "gpt-2", tensors=gpt2(32, 2, 50304, 64)),
    TinyCase("bloom", BLOOM, "gpt-2", tensors=bloom(32, 2, 50304)),
    TinyCase("bloom-bare", BLOOM | {"architectures": ["BloomModel"], "n_embed": 32, "seq_length": 256}, "gpt-2", dtype="F16",
             tensors=bloom(32, 2, 50304, "")),
    TinyCase("falcon-grouped", FALCON, "gpt-2", tensors=falcon(32, 2, 50304, 64, "ln_attn ln_mlp")),
    TinyCase("falcon-one-key", FALCON | {"num_kv_heads": 1, "new_decoder_architecture": False}, "gpt-2", dtype="F16",
             tensors=falcon(32, 2, 50304, 48, "input_layernorm")),
    TinyCase("falcon-all-keys", without(FALCON, "num_kv_heads") | {"new_decoder_architecture": False, "multi_query": False},
             "gpt-2", tensors=falcon(32, 2, 50304, 96, "input_layernorm")),
]  # fmt: skip
