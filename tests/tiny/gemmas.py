"""Tiny checkpoints of Gemma 3n and Gemma 4."""

from __future__ import annotations

from typing import Any

from tests.tiny.base import BASE
from tests.tiny.decoders import Shapes, decoder, feed_forward, linear, norm
from tests.tiny.joined import behind, under, vision
from tests.tiny.mixtures import GATED
from tests.tiny.more_dense import AROUND
from tests.tiny_checkpoints import TinyCase, without

GEMMA3N: dict[str, Any] = BASE | {
    "architectures": ["Gemma3nForCausalLM"], "model_type": "gemma3n_text", "head_dim": 32, "num_hidden_layers": 3,
    "sliding_window": 64, "intermediate_size": [96, 64, 64], "hidden_size_per_layer_input": 32, "laurel_rank": 32,
    "num_kv_shared_layers": 1, "activation_sparsity_pattern": [0.95, 0.0, 0.62], "altup_num_inputs": 4,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"], "vocab_size_per_layer_input": 2000,
}  # fmt: skip


def per_layer(config: dict[str, Any], n_rows: int) -> Shapes:
    """The tensors of the second embedding."""
    n, small, layers = config["hidden_size"], config["hidden_size_per_layer_input"], config["num_hidden_layers"]
    found = linear("model.embed_tokens_per_layer", n_rows, layers * small)
    found |= linear("model.per_layer_model_projection", layers * small, n) | norm(
        "model.per_layer_projection_norm", small
    )
    for i in range(layers):
        hf = f"model.layers.{i}"
        found |= linear(f"{hf}.per_layer_input_gate", small, n) | linear(f"{hf}.per_layer_projection", n, small)
        found |= norm(f"{hf}.post_per_layer_input_norm", n)
    return found


def gemma3n(config: dict[str, Any], n_ff: tuple[int, ...], head: bool = False) -> Shapes:
    n, rank = config["hidden_size"], config["laurel_rank"]
    found = decoder(config | {"intermediate_size": 1}, qk_norm="head", norms=AROUND, head=head)
    found = {name: shape for name, shape in found.items() if ".mlp." not in name} | per_layer(config, 2000)
    for i in range(3):
        found |= linear(f"model.altup_projections.{i}", n, n) | linear(f"model.altup_unembed_projections.{i}", n, n)
    for i, size in enumerate(n_ff):
        hf = f"model.layers.{i}"
        found |= feed_forward(f"{hf}.mlp", n, size, GATED) | {f"{hf}.altup.correct_output_scale": (n,)}
        found |= linear(f"{hf}.altup.correction_coefs", 4, 4) | linear(f"{hf}.altup.prediction_coefs", 16, 4)
        found |= linear(f"{hf}.altup.modality_router", 4, n) | norm(f"{hf}.altup.router_norm", n)
        found |= linear(f"{hf}.laurel.linear_left", rank, n) | linear(f"{hf}.laurel.linear_right", n, rank)
        found |= norm(f"{hf}.laurel.post_laurel_norm", n)
    return found


SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<|tool>", "<|tool_call>", "<channel|>", "<|turn>", '<|"|>')


def tokenizer() -> dict[str, Any]:
    """The files of a small tokenizer of Gemma 4's kind: 10 special tokens, 256 bytes, letters and a few merges."""
    pieces = ["▁", *"abcdehlnorstuw", "th", "he", "▁th", "▁the", "ll", "or", "lo"]
    merges = [["t", "h"], ["h", "e"], ["▁", "th"], ["▁th", "e"], ["l", "l"], ["o", "r"], ["l", "o"]]
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for i, token in enumerate(SPECIAL)]  # fmt: skip
    bos = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    model = {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
             "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges}  # fmt: skip
    return {
        "tokenizer.json": {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "model": model,
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
            "post_processor": {"type": "TemplateProcessing", "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
                               "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                               "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}}},
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        },
        "tokenizer_config.json": {"tokenizer_class": "GemmaTokenizerFast", "bos_token": "<bos>", "eos_token": "<eos>",
                                  "pad_token": "<pad>", "unk_token": "<unk>", "chat_template": "{{ bos_token }}"},
    }  # fmt: skip


N_GEMMA4 = 288
GEMMA4: dict[str, Any] = without(BASE, "vocab_size") | {
    "architectures": ["Gemma4ForConditionalGeneration"], "model_type": "gemma4", "text_config": without(
        BASE, "tie_word_embeddings", "bos_token_id", "eos_token_id") | {
            "model_type": "gemma4_text", "num_hidden_layers": 4, "head_dim": 16, "global_head_dim": 32, "sliding_window": 64,
            "layer_types": ["sliding_attention", "full_attention"] * 2, "num_kv_shared_layers": 2, "vocab_size": N_GEMMA4,
            "hidden_size_per_layer_input": 32, "vocab_size_per_layer_input": N_GEMMA4, "use_double_wide_mlp": True,
            "final_logit_softcapping": 30.0, "moe_intermediate_size": None, "num_experts": None, "attention_k_eq_v": False,
            "num_global_key_value_heads": None, "rope_parameters": {
                "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}},
}  # fmt: skip
SMALL: dict[str, Any] = GEMMA4["text_config"]
EXPERTS = SMALL | {
    "architectures": ["Gemma4ForCausalLM"], "enable_moe_block": True, "num_experts": 4, "top_k_experts": 2,
    "moe_intermediate_size": 32, "num_kv_shared_layers": 0, "hidden_size_per_layer_input": None, "use_double_wide_mlp": False,
    "attention_k_eq_v": True, "num_global_key_value_heads": 1,
}  # fmt: skip
LAYERWISE = without(EXPERTS, "global_head_dim", "num_global_key_value_heads", "enable_moe_block", "num_experts",
                    "top_k_experts") | {
    "architectures": ["Gemma4UnifiedForConditionalGeneration"], "moe_intermediate_size": None, "attention_k_eq_v": True,
    "per_layer_config": {"1": {"head_dim": 32, "num_key_value_heads": 1}, "3": {"head_dim": 32, "num_key_value_heads": 1}},
}  # fmt: skip
ASSISTANT: dict[str, Any] = {
    "architectures": ["Gemma4AssistantForCausalLM"], "model_type": "gemma4_assistant", "backbone_hidden_size": 96,
    "text_config": SMALL | {"num_kv_shared_layers": 4, "hidden_size_per_layer_input": 0, "use_double_wide_mlp": False},
}  # fmt: skip


def gemma4(config: dict[str, Any], n_full: int, *, shared_keys: bool = True) -> Shapes:
    """A Gemma 4, whose layers with full attention have `n_full` key heads."""
    n = config["hidden_size"]
    found: Shapes = {}
    found |= linear("model.embed_tokens", N_GEMMA4, n) | norm("model.norm", n)
    first = 4 - config["num_kv_shared_layers"]
    for i in range(4):
        hf, full = f"model.layers.{i}", bool(i % 2)
        head_dim, n_kv = (32, n_full) if full else (16, 2)
        found |= linear(f"{hf}.self_attn.q_proj", 4 * head_dim, n) | linear(f"{hf}.self_attn.o_proj", n, 4 * head_dim)
        found |= norm(f"{hf}.self_attn.q_norm", head_dim)
        if i < first or shared_keys:
            found |= linear(f"{hf}.self_attn.k_proj", n_kv * head_dim, n) | norm(f"{hf}.self_attn.k_norm", head_dim)
            if not (full and config["attention_k_eq_v"]):
                found |= linear(f"{hf}.self_attn.v_proj", n_kv * head_dim, n)
        for part in AROUND.split():
            found |= norm(f"{hf}.{part}", n)
        wide = 2 if config["use_double_wide_mlp"] and i >= first else 1
        found |= feed_forward(f"{hf}.mlp", n, 96 * wide, GATED) | {f"{hf}.layer_scalar": (1,)}
        if config.get("enable_moe_block"):
            found |= linear(f"{hf}.router.proj", 4, n) | {
                f"{hf}.router.scale": (n,),
                f"{hf}.router.per_expert_scale": (4,),
            }
            found |= {f"{hf}.experts.gate_up_proj": (4, 64, n), f"{hf}.experts.down_proj": (4, n, 32)}
            for part in ("pre_feedforward_layernorm_2", "post_feedforward_layernorm_1", "post_feedforward_layernorm_2"):
                found |= norm(f"{hf}.{part}", n)
    return found


def language_model(shapes: Shapes) -> Shapes:
    return behind("model.language_model.", under("model.", "", shapes))


FEW = without(GEMMA3N, "rms_norm_eps", "max_position_embeddings", "activation_sparsity_pattern", "layer_types",
              "sliding_window", "altup_num_inputs") | {"intermediate_size": 96}  # fmt: skip

CASES = [
    TinyCase("gemma3n", GEMMA3N, tensors=gemma3n(GEMMA3N, (96, 64, 64))),
    TinyCase("gemma3n-few-keys", without(FEW, "architectures", "model_type") | {
        "architectures": ["Gemma3nForConditionalGeneration"], "model_type": "gemma3n", "text_config":
        without(FEW, "architectures", "model_type"), "vision_config": {"a": 1}}, dtype="F16", tensors=behind(
            "model.language_model.", under("model.", "", {
                name: (2000, *shape[1:]) if name == "model.embed_tokens.weight" else shape
                for name, shape in gemma3n(FEW, (96, 96, 96)).items()})) | vision("model.vision_tower.")
        | {"model.embed_vision.embedding.weight": (8, 8), "model.embed_audio.embedding_projection.weight": (8, 8)}),
    TinyCase("gemma4", GEMMA4, "none", files=tokenizer(), tensors=language_model(
        gemma4(SMALL, 2) | per_layer(SMALL, N_GEMMA4)) | vision("model.vision_tower.")
        | {"model.embed_vision.embedding_projection.weight": (64, 32), "model.audio_tower.output_proj.weight": (8, 8)}),
    TinyCase("gemma4-no-shared-keys", SMALL | {"architectures": ["Gemma4ForCausalLM"]}, "none", files=tokenizer(), dtype="F32",
             tensors=gemma4(SMALL, 2, shared_keys=False) | per_layer(SMALL, N_GEMMA4) | {"lm_head.weight": (N_GEMMA4, 64)}),
    TinyCase("gemma4-moe", EXPERTS, "none", files=tokenizer(), tensors=gemma4(EXPERTS, 1)),
    TinyCase("gemma4-unified", LAYERWISE, "none", dtype="F16", tensors=gemma4(LAYERWISE, 1),
             files=tokenizer() | {"generation_config.json": {"suppress_tokens": [4, 5], "do_sample": True}}),
    TinyCase("gemma4-assistant", ASSISTANT, "none", files=tokenizer(), tensors=gemma4(
        ASSISTANT["text_config"] | {"attention_k_eq_v": True}, 2, shared_keys=False) | {
            "pre_projection.weight": (64, 192), "post_projection.weight": (96, 64),
            "masked_embedding.centroids.weight": (8, 64)}),
]  # fmt: skip
