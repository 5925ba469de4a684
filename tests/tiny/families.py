"""Tiny checkpoints of the families beside Llama. Each case exists to reach a rule of its family."""

from __future__ import annotations

from typing import Any

from tests.tiny.decoders import decoder
from tests.tiny_checkpoints import LLAMA3_ROPE, YARN, TinyCase, without

BASE: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "vocab_size": 2048,
    "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def config(hf_class: str, model_type: str, **values: Any) -> dict[str, Any]:
    """The config of a class: `BASE` and what differs."""
    return {"architectures": [hf_class], "model_type": model_type} | BASE | values


QWEN2 = config("Qwen2ForCausalLM", "qwen2", rope_theta=1e6)
QWEN3 = config("Qwen3ForCausalLM", "qwen3", head_dim=32, rope_theta=1e6)
SMOLLM3 = config("SmolLM3ForCausalLM", "smollm3")
ARCEE = config("ArceeForCausalLM", "arcee", hidden_act="relu2")
POOLED = {
    "modules.json": [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                     {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}],
    "1_Pooling/config.json": {"word_embedding_dimension": 64, "pooling_mode_cls_token": False,
                              "pooling_mode_lasttoken": True},
}  # fmt: skip

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
]  # fmt: skip
FAMILY_CASES = {case.name: case for case in CASES}
