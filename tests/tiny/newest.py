"""Tiny checkpoints of the newest families: delta and compressed attention, experts in a smaller space, adapters."""

from __future__ import annotations

from typing import Any

from tests.tiny.base import GPT2_VOCAB, config
from tests.tiny.decoders import Shapes, decoder, feed_forward, linear, norm
from tests.tiny.experts import ROUTED, SCALED, mixed
from tests.tiny.hybrids import KIMI, NEMOTRON_MOE, nemotron
from tests.tiny.joined import behind, joined, under
from tests.tiny.mixtures import GATED, NUMBERED, experts, later
from tests.tiny.more_dense import AROUND
from tests.tiny.newer_experts import GLM_TOKENS, tokens
from tests.tiny.recurrent import ends
from tests.tiny_checkpoints import TinyCase, without

COGVLM = config(
    "CogVLMForCausalLM", "cogvlm", num_multi_query_heads=2, vision_config={"hidden_size": 8}, num_key_value_heads=2
)
LING3 = config("BailingMoeV3ForCausalLM", "bailing_moe_v3", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
               num_shared_experts=1, moe_shared_expert_intermediate_size=32, first_k_dense_replace=1, norm_topk_prob=True,
               routed_scaling_factor=2.5, kv_lora_rank=32, q_lora_rank=32, qk_nope_head_dim=16, qk_rope_head_dim=8,
               v_head_dim=16, head_dim=16, num_hidden_layers=3, score_function="sigmoid", layer_group_size=2,
               no_kda_lora=True, kda_safe_gate=True, kda_lower_bound=-5, short_conv_kernel_size=4, n_group=2, topk_group=1,
               gated_attention_proj_granularity_type="head_wise", num_nextn_predict_layers=1,
               expert_swiglu_limit_list=[None, 7, 7.5]) | GPT2_VOCAB  # fmt: skip

MINIMAX01 = config("MiniMaxText01ForCausalLM", "minimax_text_01", num_local_experts=4, num_experts_per_tok=2, head_dim=16,
                   rotary_dim=8, attn_type_list=[0, 1], **{
                       f"layernorm_{part}_{greek}": value for part in ("full_attention", "linear_attention", "mlp")
                       for greek, value in (("alpha", 3.5565588200778455), ("beta", 1.0))}) | GPT2_VOCAB  # fmt: skip

N_SILENT = 50258 * 3
"""A row of zeros, a third down the matrix, is then behind GPT-2's tokens."""

GRANITE_SWITCH = config("GraniteSwitchForCausalLM", "granite_switch", num_hidden_layers=3, num_adapters=3, max_lora_rank=8,
                        shared_intermediate_size=96, adapter_token_ids=[7, 8, 9], adapter_substitute_token_ids=[1, 1, 2],
                        num_local_experts=0, num_experts_per_tok=0, attention_multiplier=0.02, logits_scaling=8.0,
                        embedding_multiplier=12, residual_multiplier=0.22, tie_word_embeddings=True)  # fmt: skip
PUZZLE = without(NEMOTRON_MOE, "hybrid_override_pattern", "num_experts_per_tok", "moe_intermediate_size") | {
    "architectures": ["NemotronHPuzzleForCausalLM"], "model_type": "nemotron_h_puzzle", "num_hidden_layers": 7,
    "block_configs": [
        {"block_type": "mamba"}, {"block_type": "moe", "moe_intermediate_size": 32, "num_experts_per_tok": 2},
        {"block_type": "attention"}, {"block_type": "moe", "moe_intermediate_size": 64, "num_experts_per_tok": 1}],
}  # fmt: skip

KIMI_K3: dict[str, Any] = {"architectures": ["KimiK3ForConditionalGeneration"], "model_type": "kimi_k3",
           "vision_config": {"a": 1}, "text_config": KIMI | {
               "q_lora_rank": 32, "num_attention_heads": 4, "mla_use_nope": True, "hidden_act": "situ", "moe_renormalize": True,
               "routed_expert_hidden_size": 16, "activation_situ_beta": 1.5, "activation_situ_linear_beta": 2,
               "attn_res_block_size": 4, "eos_token_id": 7, "linear_attn_config":
               KIMI["linear_attn_config"] | {"gate_lower_bound": -5.0}}}  # fmt: skip

INDEXED = {"index_n_heads": 2, "index_head_dim": 16, "index_topk": 8, "hc_mult": 4, "hc_eps": 1e-6}
GLM5: dict[str, Any] = {"architectures": ["Glm5NextForConditionalGeneration"], "model_type": "glm5_next",
        "vision_config": {"a": 1}, "text_config": without(config("x", "glm5_next_text", **(ROUTED | SCALED), num_hidden_layers=3,
                                      kv_lora_rank=32, q_lora_rank=32,
                                      qk_nope_head_dim=16, qk_rope_head_dim=0, v_head_dim=16, head_dim=16, mla_use_nope=True,
                                      index_kpool=4, hc_sinkhorn_iters=3, swiglu_limit=10.0, num_nextn_predict_layers=1,
                                      layer_types=["linear_attention", "full_attention", "full_attention"],
                                      indexer_types=["shared", "full", "shared"], linear_attn_config={
                                          "num_heads": 4, "head_dim": 16, "short_conv_kernel_size": 4,
                                          "gate_lower_bound": -5}), "architectures") | GPT2_VOCAB | INDEXED}  # fmt: skip

HY4 = config("HYV4ForCausalLM", "hy_v4", **(ROUTED | SCALED), kv_lora_rank=32, q_lora_rank=32, qk_nope_head_dim=16,
             qk_rope_head_dim=8, v_head_dim=16, hc_magnitude=2, n_group=1, topk_group=1, swiglu_limit=10, head_dim=24,
             indexer_types=["full", "shared"], num_nextn_predict_layers=1) | GPT2_VOCAB | INDEXED  # fmt: skip

DOTS3 = config("Dots3NoteTextForCausalLM", "dots3_note_text", **(ROUTED | SCALED), kv_lora_rank=32, q_lora_rank=32,
               qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16, scoring_func="sigmoid", swa_num_attention_heads=2,
               swa_qk_nope_head_dim=32, swa_qk_rope_head_dim=8, swa_v_head_dim=24, swa_kv_lora_rank=16, swa_q_lora_rank=32,
               swa_head_dim=40, swa_rope_theta=1e4, sliding_window_size=64, head_dim=9, apply_mla_qkv_lora_rescale=True,
               layer_types=["full_attention", "sliding_attention"]) | GPT2_VOCAB | INDEXED  # fmt: skip
DOTS3_TOKENS = tokens("<|endofassistant|>")

MUSE: dict[str, Any] = {
    "architectures": ["MuseGlimmerForConditionalGeneration"], "model_type": "muse_glimmer", "text_config": without(config(
        "x", "muse_glimmer_text", head_dim=16, qk_scale_factor=3.5, final_logit_softcapping=30, output_multiplier=0.25,
        sliding_window=64, layer_types=["sliding_attention", "full_attention"]), "architectures") | GPT2_VOCAB}  # fmt: skip
INTERN: dict[str, Any] = {
    "architectures": ["InternS1ForConditionalGeneration"], "model_type": "interns1", "text_config": config(
        "Qwen3ForCausalLM", "qwen3", head_dim=16) | GPT2_VOCAB}  # fmt: skip

WAV = {"architectures": ["WavTokenizerDec"], "hidden_size": 66, "n_embd_features": 32, "n_ff": 96, "vocab_size": 2048,
       "n_head": 1, "layer_norm_epsilon": 1e-6, "group_norm_epsilon": 1e-6, "group_norm_groups": 32,
       "max_position_embeddings": 8192, "n_layer": 2, "posnet": {"n_embd": 64, "n_layer": 2},
       "convnext": {"n_embd": 64, "n_layer": 2}}  # fmt: skip


def cogvlm(config: dict[str, Any]) -> Shapes:
    found: Shapes = {}
    for plain, shape in joined(config, "language_expert_query_key_value").items():
        name = plain.replace("o_proj", "language_expert_dense").replace(".mlp.", ".mlp.language_mlp.")
        found[name] = shape
        if "language" in name:
            found[name.replace("language_", "vision_")] = shape
    return found | {"model.vision.boi": (1, 1, 64), "model.vision.patch_embedding.proj.weight": (8, 3, 2, 2)}


def delta(a: str, inner: int, flat: bool) -> Shapes:
    """What all kinds of delta attention have, with 4 heads on 32 dimensions."""
    found: Shapes = {}
    for x in "qkv":
        found |= linear(f"{a}.{x}_proj", inner, 32) | {f"{a}.{x}_conv1d.weight": (inner, 4) if flat else (inner, 1, 4)}
    found |= {f"{a}.A_log": (4,) if flat else (1, 1, 4, 1), f"{a}.dt_bias": (inner,)} | norm(f"{a}.o_norm", inner // 4)
    return found | linear(f"{a}.b_proj", 4, 32) | linear(f"{a}.o_proj", 32, inner)


def compressed(a: str, output: str = "o_proj", rotated: int = 8) -> Shapes:
    """Compressed attention with 4 heads on 32 dimensions."""
    found = (
        linear(f"{a}.q_a_proj", 32, 32)
        | norm(f"{a}.q_a_layernorm", 32)
        | linear(f"{a}.q_b_proj", 4 * (16 + rotated), 32)
    )
    found |= linear(f"{a}.kv_a_proj_with_mqa", 32 + rotated, 32) | norm(f"{a}.kv_a_layernorm", 32)
    return found | linear(f"{a}.kv_b_proj", 128, 32) | linear(f"{a}.{output}", 32, 64)


def ling3(n_later: int) -> Shapes:
    found = ends(50304, 32, "model.word_embeddings", "model.norm", "lm_head")
    for i in range(3 + n_later):
        hf = f"model.layers.{i}"
        a = f"{hf}.attention"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.post_attention_layernorm", 32)
        if i == 0:
            found |= delta(a, 64, False) | linear(f"{a}.f_proj", 64, 32) | linear(f"{a}.g_proj", 64, 32)
            found |= feed_forward(f"{hf}.mlp", 32, 96, GATED)
            continue
        found |= compressed(a, "dense" if i == 1 else "o_proj") | linear(f"{a}.g_proj", 4, 32)
        found |= linear(f"{hf}.mlp.gate", 4, 32) | {f"{hf}.mlp.gate.expert_bias": (4,)}
        found |= experts(f"{hf}.mlp.experts", 4, 32, 32) | feed_forward(f"{hf}.mlp.shared_experts", 32, 32, GATED)
    more = later(LING3, range(3, 3 + n_later), head=False)
    return found | {name.replace("shared_head.norm", "final_layernorm"): shape for name, shape in more.items()}


def minimax01(n_vocab: int, n_layer: int = 2) -> Shapes:
    """MiniMax 01, the last of whose layers has softmax attention."""
    found = ends(n_vocab, 32, "model.embed_tokens", "model.norm", "lm_head")
    for i in range(n_layer):
        hf = f"model.layers.{i}"
        a = f"{hf}.self_attn"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.post_attention_layernorm", 32)
        if i == n_layer - 1:
            found |= linear(f"{a}.q_proj", 64, 32) | linear(f"{a}.k_proj", 32, 32) | linear(f"{a}.v_proj", 32, 32)
            found |= linear(f"{a}.o_proj", 32, 64)
        else:
            found |= linear(f"{a}.qkv_proj", 192, 32) | linear(f"{a}.output_gate", 64, 32) | norm(f"{a}.norm", 64)
            found |= linear(f"{a}.out_proj", 32, 64)
        found |= linear(f"{hf}.block_sparse_moe.gate", 4, 32) | experts(
            f"{hf}.block_sparse_moe.experts", 4, 32, 96, NUMBERED
        )
    return found


def granite_switch(n_adapter: int) -> Shapes:
    found = linear("model.embed_tokens", 2048, 64) | norm("model.norm", 64) | linear("lm_head", 2048, 64)
    found |= {"model.switch.control_token_ids": (3,), "model.adapter_token_ids": (3,)}
    for i in range(2):
        hf = f"model.layers.{i}"
        found |= norm(f"{hf}.input_layernorm", 64) | norm(f"{hf}.post_attention_layernorm", 64)
        for name, n_out, n_in, slices in (
            ("self_attn.qkv_proj", 128, 64, (64, 32, 32)), ("self_attn.o_proj", 64, 64, ()),
            ("shared_mlp.input_linear", 192, 64, (96, 96)), ("shared_mlp.output_linear", 64, 96, ()),
        ):  # fmt: skip
            found |= linear(f"{hf}.{name}.base_layer", n_out, n_in)
            for end, rows in [(f"_slices.{k}", rows) for k, rows in enumerate(slices)] or [("", n_out)]:
                found[f"{hf}.{name}.lora_A{end}"] = (n_adapter, 1, 8, n_in)
                found[f"{hf}.{name}.lora_B{end}"] = (n_adapter, 1, rows, 8)
    return found


def kimi_k3(gate: int) -> Shapes:
    found = ends(50304, 32, "model.embed_tokens", "model.norm", "lm_head")
    found |= {"model.output_attn_res_norm.weight": (32,), "model.output_attn_res_proj.weight": (1, 32)}
    for i in range(3):
        hf = f"model.layers.{i}"
        a, sparse = f"{hf}.self_attn", f"{hf}.block_sparse_moe"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.post_attention_layernorm", 32)
        for part in ("self_attention_res", "mlp_res"):
            found |= {f"{hf}.{part}_norm.weight": (32,), f"{hf}.{part}_proj.weight": (1, 32)}
        if i == 2:
            found |= compressed(a) | linear(f"{a}.g_proj", 64, 32)
        else:
            found |= delta(a, 64, flat=True) | linear(f"{a}.g_proj", 64, 32)
            found |= {f"{a}.A_log": (gate,)} | linear(f"{a}.f_a_proj", 16, 32) | linear(f"{a}.f_b_proj", 64, 16)
        if not i:
            found |= feed_forward(f"{hf}.mlp", 32, 96, GATED)
            continue
        found |= linear(f"{sparse}.gate", 4, 32) | {f"{sparse}.gate.e_score_correction_bias": (4,)}
        found |= linear(f"{sparse}.routed_expert_down_proj", 16, 32) | linear(f"{sparse}.routed_expert_up_proj", 32, 16)
        found |= norm(f"{sparse}.routed_expert_norm", 16) | experts(f"{sparse}.experts", 4, 16, 32, NUMBERED)
        found |= feed_forward(f"{sparse}.shared_experts", 32, 32, GATED)
    return behind("language_model.", found) | {"vision_tower.a.weight": (8, 8), "mm_projector.b.weight": (8, 8)}


def streams(attn: str, ffn: str, n_row: int, n_scale: int) -> Shapes:
    """The hyper-connections of four residual streams of 32 dimensions."""
    shapes: Shapes = {"fn": (n_row, 128), "base": (n_row,), "scale": (n_scale,)}
    return {f"{place}{part}": shape for place in (attn, ffn) for part, shape in shapes.items()}


def indexer(a: str, size: int = 16) -> Shapes:
    hf = f"{a}.indexer"
    return linear(f"{hf}.wq_b", 2 * size, 32) | linear(f"{hf}.wk", size, 32) | linear(f"{hf}.weights_proj", 2, 32) | norm(
        f"{hf}.k_norm", size, True)  # fmt: skip


def glm5(n_later: int, pooled: tuple[int, ...]) -> Shapes:
    found = ends(50304, 32, "model.embed_tokens", "model.norm", "lm_head")
    for i in range(3 + n_later):
        hf = f"model.layers.{i}"
        a = f"{hf}.self_attn"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.post_attention_layernorm", 32)
        if i < 3:
            found |= streams(f"{hf}.hc_attn_", f"{hf}.hc_ffn_", 24, 3)
        if i in pooled:
            found |= indexer(a) | {f"{a}.indexer.index_kpool_compress_ape": (4, 16)}
            found |= {f"{a}.indexer.index_kpool_compress_gate": (16, 32)}
        if i:
            found |= compressed(a, rotated=0)
            found |= linear(f"{hf}.mlp.gate", 4, 32) | {f"{hf}.mlp.gate.e_score_correction_bias": (4,)}
            found |= experts(f"{hf}.mlp.experts", 4, 32, 32) | feed_forward(f"{hf}.mlp.shared_experts", 32, 32, GATED)
            continue
        found |= delta(a, 64, flat=False) | feed_forward(f"{hf}.mlp", 32, 96, GATED)
        for x in "fg":
            found |= linear(f"{a}.{x}_a_proj", 16, 32) | linear(f"{a}.{x}_b_proj", 64, 16)
    found |= later({"hidden_size": 32, "vocab_size": 50304}, range(3, 3 + n_later))
    return under("model.", "model.language_model.", found) | {"model.visual.patch_embed.proj.weight": (8, 8)}


def hy4(choosing: tuple[int, ...]) -> Shapes:
    found = ends(50304, 32, "model.embed_tokens", "model.norm", "lm_head")
    found |= {
        "model.hc_head.hc_head_fn": (4, 128),
        "model.hc_head.hc_head_base": (4,),
        "model.hc_head.hc_head_scale": (1,),
    }
    for i in range(2):
        hf = f"model.layers.{i}"
        a = f"{hf}.self_attn"
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.post_attention_layernorm", 32) | compressed(a)
        found |= streams(f"{hf}.hc_attn_layer.hc_pre.hc_", f"{hf}.hc_mlp_layer.hc_pre.hc_", 8, 2)
        found |= linear(f"{a}.gate_proj", 64, 32) | {f"{a}.learnable_sink_param": (4,)}
        found |= indexer(a) if i in choosing else {}
        if not i:
            found |= feed_forward(f"{hf}.mlp", 32, 96, GATED)
            continue
        found |= linear(f"{hf}.mlp.gate", 4, 32) | {f"{hf}.mlp.gate.e_score_correction_bias": (4,)}
        found |= {f"{hf}.mlp.experts.gate_up_proj": (4, 64, 32), f"{hf}.mlp.experts.down_proj": (4, 32, 32)}
        found |= feed_forward(f"{hf}.mlp.shared_experts", 32, 32, GATED)
    return found | {"model.mtp_layers.0.input_layernorm.weight": (32,)}


def dots3(predicting: bool, n_index: int = 16, dense: tuple[int, ...] = (0,)) -> Shapes:
    found = ends(50304, 32, "model.embed_tokens", "model.norm", "lm_head")
    for i in range(2 + predicting):
        hf = f"model.layers.{i}"
        a, n_head = f"{hf}.self_attn", 2 if i else 4
        found |= norm(f"{hf}.input_layernorm", 32) | norm(f"{hf}.post_attention_layernorm", 32)
        found |= linear(f"{a}.gate_proj", n_head, 32) | norm(f"{a}.k_rope_only_layernorm", 8)
        if not i:
            found |= compressed(a) | indexer(a, n_index)
        else:
            found |= linear(f"{a}.q_a_proj", 32, 32) | norm(f"{a}.q_a_layernorm", 32) | linear(f"{a}.q_b_proj", 80, 32)
            found |= linear(f"{a}.kv_a_proj_with_mqa", 24, 32) | norm(f"{a}.kv_a_layernorm", 16)
            found |= linear(f"{a}.kv_b_proj", 2 * 56, 16) | linear(f"{a}.o_proj", 32, 48)
        if i in dense:
            found |= feed_forward(f"{hf}.mlp", 32, 96, GATED)
            continue
        found |= linear(f"{hf}.mlp.gate", 4, 32) | {f"{hf}.mlp.gate.e_score_correction_bias": (4,)}
        found |= experts(f"{hf}.mlp.experts", 4, 32, 32) | feed_forward(f"{hf}.mlp.shared_experts", 32, 32, GATED)
    if predicting:
        found |= later({"hidden_size": 32, "vocab_size": 50304}, [2], head=False)
        found |= linear("model.mtp.embed_tokens", 50304, 32)
    return found


def muse() -> Shapes:
    found = decoder(MUSE["text_config"], norms=AROUND)
    return under(
        "model.",
        "model.language_model.",
        found | {f"model.layers.{i}.self_attn.gate_proj.weight": (64, 32) for i in range(2)},
    ) | {"model.vision_adapter.fc1.weight": (8, 8)}


def intern() -> Shapes:
    found = behind("language_model.", decoder(INTERN["text_config"], qk_norm="head"))
    return found | {"model.vision_tower.a.weight": (8, 8)}


def wavtokenizer(kinds: str) -> Shapes:
    """WavTokenizer's decoder, the layers of whose posnet are, by letter, a resnet, attention or a norm."""
    b = "backbone"
    found: Shapes = {"token_embd.weight": (2048, 32), f"{b}.embed.weight": (64, 32, 7), f"{b}.embed.bias": (64, 1)}
    for name in ("norm", "final_layer_norm"):
        found |= norm(f"{b}.{name}", 64, True)
    kernels: dict[str, Shapes] = {
        "r": dict.fromkeys(("norm1", "norm2"), (64, 1)) | dict.fromkeys(("conv1", "conv2"), (64, 64, 3)),
        "a": dict.fromkeys(("q", "k", "v", "proj_out"), (64, 64, 1)) | {"norm": (64, 1)},
        "n": {"norm": (64, 1)},
    }
    for i, kind in enumerate(kinds):
        for part, shape in kernels[kind].items():
            found |= {f"{b}.posnet.{i}.{part}.weight": shape, f"{b}.posnet.{i}.{part}.bias": (64, 1)}
    for i in range(2):
        hf = f"{b}.convnext.{i}"
        found |= {f"{hf}.dwconv.weight": (64, 1, 7), f"{hf}.dwconv.bias": (64, 1), f"{hf}.gamma.weight": (64,)}
        found |= (
            norm(f"{hf}.norm", 64, True) | linear(f"{hf}.pwconv1", 96, 64, True) | linear(f"{hf}.pwconv2", 64, 96, True)
        )
    found |= linear("head.out", 66, 64, True)
    return found | {f"quantizer._codebook.{name}": (8,) for name in ("cluster_size", "embed_avg", "inited")}


CASES = [
    TinyCase("cogvlm", COGVLM, tensors=cogvlm(COGVLM)),
    TinyCase("ling3-mtp", LING3, "gpt-2", dtype=mixed, tensors=ling3(1)),
    TinyCase("ling3-vision", {
        "architectures": ["BailingMoeV3VLForConditionalGeneration"], "model_type": "bailing_moe_v3_vl",
        "vision_config": {"a": 1}, "text_config": without(LING3, "architectures", "num_nextn_predict_layers") | {
            "mrope_section": [1, 1, 2]}}, "gpt-2", dtype="F16",
        tensors=ling3(0) | {"linear_proj.0.weight": (8, 8), "model.visual.merger.norm.weight": (8,)}),
    TinyCase("minimax-01", MINIMAX01, "gpt-2", shards=2, tensors=minimax01(50304)),
    TinyCase("minimax-m1", MINIMAX01 | {"architectures": ["MiniMaxM1ForCausalLM"], "model_type": "minimax_m1",
             "vocab_size": N_SILENT}, "gpt-2",
             shards=2, dtype="F32", tensors=minimax01(N_SILENT), files={"chat_template.jinja": "{{ messages }}"}),
    TinyCase("kimi-k3", KIMI_K3, "gpt-2", dtype=mixed, tensors=kimi_k3(4)),
    TinyCase("kimi-k3-f16", KIMI_K3, "gpt-2", dtype="F16", tensors=kimi_k3(6),
             files={"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "chat_template": "{{ messages }}"}}),
    TinyCase("glm5-mtp", GLM5, "gpt-2", files=GLM_TOKENS, dtype=mixed, tensors=glm5(1, (1, 3))),
    TinyCase("glm5-no-mtp", GLM5 | {"text_config": without(GLM5["text_config"], "indexer_types", "swiglu_limit")}, "gpt-2",
             files=GLM_TOKENS, dtype="F16", tensors=glm5(0, (1, 2)), arguments=("--no-mtp",)),
    TinyCase("hy4", HY4, "gpt-2", dtype=mixed, tensors=hy4((0,))),
    TinyCase("hy4-layer-types", without(HY4, "indexer_types", "first_k_dense_replace", "swiglu_limit") | {
        "layer_types": ["sparse_attention", "full_attention"], "mlp_layer_types": ["dense", "sparse"], "topk_group": 1,
        "n_group": 2, "enable_lm_head_fp32": True}, "gpt-2", dtype="F16", tensors=hy4((0,))),
    TinyCase("dots3-mtp", DOTS3, "gpt-2", files=DOTS3_TOKENS, dtype=mixed, tensors=dots3(True)),
    TinyCase("dots3-vision", without(DOTS3, "apply_mla_qkv_lora_rescale") | {
        "architectures": ["Dots3NoteForConditionalGeneration"], "vision_config": {"a": 1}}, "gpt-2",
        files=DOTS3_TOKENS, dtype="F16",
        tensors=behind("language_model.", dots3(False)) | {"vision_encoder.patch_embed.proj.weight": (8, 8),
                                                           "audio_encoder.adapter.fc1.weight": (8, 8)}),
    TinyCase("muse-glimmer", MUSE, "gpt-2", files=tokens("<|eot|>"), tensors=muse()),
    TinyCase("muse-glimmer-no-eot", MUSE, "gpt-2", dtype="F16", tensors=muse(), files={
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<|endoftext|>"}}),
    TinyCase("interns1", INTERN, "gpt-2", tensors=intern()),
    TinyCase("interns1-no-bos", INTERN | {"text_config": without(INTERN["text_config"], "bos_token_id")}, "gpt-2",
             tensors=intern(), files={"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}}),
    TinyCase("wavtokenizer", WAV, "none", tensors=wavtokenizer("ra")),
    TinyCase("granite-switch", GRANITE_SWITCH, tensors=granite_switch(3)),
    TinyCase("nemotron-puzzle", PUZZLE, "gpt-2", tensors=nemotron("ME*E", 50304, experts_of=(0, 32, 0, 64), mtp=True)),
    TinyCase("nemotron-puzzle-model", PUZZLE | {"num_experts_per_tok": 2, "moe_intermediate_size": 32}, "gpt-2", dtype="F16",
             tensors=under("backbone.", "model.", nemotron("ME*E", 50304, experts_of=(0, 32, 0, 64)))),
]  # fmt: skip
