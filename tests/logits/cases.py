"""Which tiny configs are compared, and how close the two must be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import BY_NAME, TinyCase


@dataclass(frozen=True)
class LogitsCase:
    """The config of a tiny case, with `changes`; `tolerance` as a part of the log-probabilities' standard deviation."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-4

    @property
    def tiny(self) -> TinyCase:
        """The case that has the config and the tokenizer."""
        return FAMILY_CASES.get(self.name) or BY_NAME[self.name]


GELU = 5e-3
"""ggml reads GELU from a table of half-precision numbers (ggml/src/ggml-cpu/vec.h), so it is good for three digits."""

TIED: dict[str, Any] = {"tie_word_embeddings": True}
"""For classes whose head llama.cpp always takes from the embeddings."""

CASES = [
    LogitsCase("Tiny-Llama-4M-Chat-v0.2"),
    # llama.cpp's own beta_fast and beta_slow, those of the paper: it applies none that a Llama config names
    LogitsCase("yarn", {"rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 128, "rope_type": "yarn"}}),
    LogitsCase("tied-linear-rope", tolerance=1e-3),
    LogitsCase("head-dim"),
    # llama.cpp has no sliding window for the architecture llama, nor for starcoder2
    LogitsCase("mistral-sliding", {"sliding_window": None}),
    LogitsCase("mixtral-4"),
    LogitsCase("qwen2"),
    LogitsCase("qwen3"),
    LogitsCase("qwen2-moe"),
    # llama.cpp always norms the weights of the chosen experts, as the published models do
    LogitsCase("qwen3-moe", {"norm_topk_prob": True}),
    LogitsCase("gemma", TIED, GELU),
    # llama.cpp divides the scores by the root of the head's size, but for the largest of each family
    LogitsCase("gemma2", TIED | {"sliding_window": 8, "query_pre_attn_scalar": 32}, GELU),
    LogitsCase(
        "gemma3", TIED | {"sliding_window": 8, "query_pre_attn_scalar": 32, "rope_local_base_freq": 10000.0}, GELU
    ),
    LogitsCase("phi2", tolerance=GELU),
    LogitsCase("phi3-gpt2-tokenizer"),
    LogitsCase("phi3-longrope", {"pad_token_id": 0, "sliding_window": None}),
    LogitsCase("gpt2", tolerance=GELU),
    LogitsCase("gptneox", tolerance=GELU),
    LogitsCase("gptneox-serial", tolerance=GELU),
    LogitsCase("falcon-grouped", tolerance=GELU),
    LogitsCase("falcon-one-key", tolerance=GELU),
    LogitsCase("falcon-all-keys", tolerance=GELU),
    LogitsCase("bloom", {"seq_length": 512}, GELU),
    # transformers builds its biases with 8 whatever alibi_bias_max says
    LogitsCase("mpt", {"attn_config": {"alibi": True, "alibi_bias_max": 8, "clip_qkv": 6}}, GELU),
    LogitsCase("starcoder2", {"sliding_window": None}, GELU),
    LogitsCase("starcoder", tolerance=GELU),
    LogitsCase("olmo"),
    LogitsCase("olmo2"),
    LogitsCase("olmo3", {"sliding_window": 8}),
    LogitsCase("olmoe", {"num_key_value_heads": 4}),
    LogitsCase("granite"),
    LogitsCase("granite-moe-few-keys"),
    LogitsCase("stablelm"),
    LogitsCase("stablelm-parallel"),
    LogitsCase("cohere", TIED),
    LogitsCase("cohere2", TIED | {"sliding_window": 8}),
    LogitsCase("jamba-mini-names"),
    LogitsCase("nemotron"),
    LogitsCase("ernie4.5"),
    LogitsCase("hunyuan"),
    LogitsCase("seed-oss"),
    LogitsCase("arcee"),
    LogitsCase("dbrx"),
    LogitsCase(
        "deepseek2-few-keys", {"rope_scaling": None, "topk_method": "greedy", "n_group": 1, "topk_group": 1}, 1e-3
    ),
    LogitsCase("deepseek3-head-dim", {"head_dim": 8, "attention_bias": False}, 1e-3),
    LogitsCase("gpt-oss-few-keys", {"sliding_window": 8, "rope_scaling": None}),
    LogitsCase("lfm2-first-keys", tolerance=1e-3),
    LogitsCase("qwen3-next-mtp", tolerance=1e-3),
]
