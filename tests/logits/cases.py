"""Which tiny configs are compared, and how close the two must be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tests.tiny.families import FAMILY_CASES
from tests.tiny_checkpoints import BY_NAME, TinyCase

Task = Literal["continue", "translate", "embed"]


@dataclass(frozen=True)
class LogitsCase:
    """The config of a tiny case, with `changes`; `tolerance` as a part of the standard deviation of what is compared.

    `task` says what that is: log-probabilities of the next token, of a translation's, or a text's embeddings.
    """

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-4
    task: Task = "continue"

    @property
    def tiny(self) -> TinyCase:
        """The case that has the config and the tokenizer."""
        return FAMILY_CASES.get(self.name) or BY_NAME[self.name]


GELU = 5e-3
"""ggml reads GELU from a table of half-precision numbers (ggml/src/ggml-cpu/vec.h), so it is good for three digits."""

HALVES = 1e-2
"""Through libllama.py keys and values are cached in half precision, and multiplied in it."""

TIED: dict[str, Any] = {"tie_word_embeddings": True}
"""For classes whose head llama.cpp always takes from the embeddings."""

NO_PAD = {"pad_token_id": 0}
OWN_HEAD = {"tie_word_embeddings": False}
LONGER = {"max_position_embeddings": 64}
SHARP = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128, "beta_fast": 32, "beta_slow": 1}

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
    LogitsCase(
        "deepseek3-head-dim",
        {"head_dim": 8, "attention_bias": False, "rope_scaling": SHARP | {"mscale": 1.0, "mscale_all_dim": 1.0}},
        1e-3,
    ),
    # transformers leaves the scale of V2's attention alone, which DeepSeek's own code and llama.cpp multiply by the square of
    # mscale_all_dim's factor: with next to none the frequencies are left to compare
    LogitsCase(
        "deepseek2-few-keys",
        {
            "topk_method": "greedy",
            "n_group": 1,
            "topk_group": 1,
            "rope_scaling": SHARP | {"mscale": 1e-9, "mscale_all_dim": 1e-9},
        },
        1e-3,
    ),
    LogitsCase("gpt-oss-few-keys", {"sliding_window": 8, "rope_scaling": None}),
    # ggml's YaRN always rounds the ends of its ramp (ggml_rope_yarn_corr_dims); the published gpt-oss says truncate: false
    LogitsCase(
        "gpt-oss-few-keys", {"sliding_window": 8, "rope_scaling": SHARP | {"rope_type": "yarn", "truncate": True}}
    ),
    # llama.cpp takes EXAONE 4 to have windows, and layers without rotation, if it has 64 layers, as the 32B has
    LogitsCase("exaone4", {"sliding_window": 8, "num_hidden_layers": 64}),
    # llama.cpp leaves out the rotation in each fourth layer, whatever no_rope_layer_interval says
    LogitsCase("llama4-interleaved", {"no_rope_layer_interval": 4}),
    # XIELU's numbers are bfloat16 in transformers; checkpoint.py makes them float32
    LogitsCase("apertus"),
    # llama.cpp norms what comes out of each group of Mamba 2, as Mamba's own code does; transformers norms all groups together
    LogitsCase("mamba2-no-biases", {"n_groups": 1, "rms_norm_eps": None, "layer_norm_epsilon": 1e-5}),
    LogitsCase("granite-hybrid-dense", {"mamba_n_groups": 1}),
    # llama.cpp applies the gate before that norm, as the published models say; the small factor of the head would leave
    # log-probabilities that differ less than float32 tells apart
    LogitsCase("falcon-h1-factors", {"mamba_norm_before_gate": False, "lm_head_multiplier": 1.0}),
    LogitsCase("lfm2-first-keys", tolerance=1e-3),
    LogitsCase("qwen3-next-mtp", tolerance=1e-3),
    # transformers rotates half of each head; llama.cpp's converter sorts the rows as for a rotation of whole heads
    LogitsCase("bamba", {"vocab_size": 50304, "partial_rotary_factor": 1.0}),
    LogitsCase("falcon-mamba-f16", {"vocab_size": 2048}),
    LogitsCase("smollm3", NO_PAD),
    LogitsCase("glm", NO_PAD | {"seq_length": 512}),
    LogitsCase("glm4", NO_PAD),
    LogitsCase("glm4-moe-no-mtp"),
    LogitsCase("dots1-all-keys"),
    LogitsCase("ernie-moe-wide"),
    LogitsCase("granite-moe-shared-few-keys"),
    LogitsCase("bert-pooled", tolerance=GELU, task="embed"),
    LogitsCase("distilbert-masked", tolerance=GELU, task="embed"),
    LogitsCase("roberta-few-keys", LONGER, GELU, "embed"),
    LogitsCase("xlm-roberta-model-file", LONGER, GELU, "embed"),
    LogitsCase("modern-bert-three-labels", {"local_attention": 16, "reference_compile": False}, GELU, "embed"),
    # llama.cpp does not divide by the root of n_embd what goes into a head that is the embeddings
    LogitsCase("t5-gated", OWN_HEAD, HALVES, "translate"),
    LogitsCase("t5-plain-tied", OWN_HEAD, HALVES, "translate"),
    LogitsCase("mt5-few-keys", tolerance=HALVES, task="translate"),
    LogitsCase("umt5", OWN_HEAD, HALVES, "translate"),
]
"""Left out, as no config brings the two together:

- BitNet: llama.cpp's converter rounds weights to three values, transformers' class without a quantization config does not.
- Phi-MoE: transformers weighs the second expert as if the first were not there (sparsemixer), llama.cpp by one softmax.
- T5 with a head that is the embeddings: llama.cpp leaves out the division by the root of n_embd, so its logits are that much
  larger; DeepSeek V2's mscale, gpt-oss's truncate, and others where a case above changes a value and says why.
"""
