"""What the cases of several families share: a config to start from, and files beside it."""

from __future__ import annotations

from typing import Any

BASE: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "vocab_size": 2048,
    "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


GPT2_VOCAB: dict[str, Any] = {"vocab_size": 50304, "hidden_size": 32}
"""For classes that are always read as byte-level BPE: the smallest such vocabulary of tests/data."""


def config(hf_class: str, model_type: str, **values: Any) -> dict[str, Any]:
    """The config of a class: `BASE` and what differs."""
    return {"architectures": [hf_class], "model_type": model_type} | BASE | values


POOLED = {
    "modules.json": [{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                     {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}],
    "1_Pooling/config.json": {"word_embedding_dimension": 64, "pooling_mode_cls_token": False,
                              "pooling_mode_lasttoken": True},
}  # fmt: skip
