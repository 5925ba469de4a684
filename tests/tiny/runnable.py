"""Tiny checkpoints whose shapes are those that llama.cpp's graphs expect, as the published models' are.

Each says what its architecture wants; the cases of the other rooms are shaped for the rules of the converter.
"""

from __future__ import annotations

from typing import Any

from tests.tiny import experts as mixtures
from tests.tiny import gemmas, hybrids, more_dense, newer_experts, newest, uncommon, vision
from tests.tiny import recurrent as r
from tests.tiny.base import GPT2_VOCAB, config
from tests.tiny.decoders import Shapes, decoder, linear, norm
from tests.tiny.experts import LING2, N, deepseek3, mixed, qwen_like
from tests.tiny.joined import behind, gpt_bigcode, under
from tests.tiny.mixtures import deepseek_experts, dense, experts, without_ffn
from tests.tiny.newer_experts import DSA, GLM_TOKENS
from tests.tiny_checkpoints import TinyCase, without
from tests.vocab.ranks import rank_lines

CODESHELL = {
    "architectures": ["CodeShellForCausalLM"], "model_type": "codeshell", "n_embd": 32, "n_layer": 2, "n_head": 4,
    "n_positions": 64, "vocab_size": 50304, "num_query_groups": 2, "layer_norm_epsilon": 1e-5,
}  # fmt: skip
ALL_KEYS = {"num_key_value_heads": 4}
DOTS = mixtures.DOTS | ALL_KEYS | {"scoring_func": "sigmoid"}
PLM = uncommon.PLM | ALL_KEYS
OLMOE = (
    config("OlmoeForCausalLM", "olmoe", num_experts=4, num_experts_per_tok=2, intermediate_size=32)
    | GPT2_VOCAB
    | ALL_KEYS
)
ERNIE = newer_experts.ERNIE | {"intermediate_size": 128, "moe_layer_interval": 1, "num_hidden_layers": 3}
CODESTRAL = hybrids.CODESTRAL | {"use_bias": False}
INDEX = {"index_n_heads": 2, "index_head_dim": 64}
QWEN3_VL = vision.QWEN3 | {"num_hidden_layers": 4}
QWEN3_VL_MOE = newer_experts.QWEN3_VL["text_config"] | {"num_hidden_layers": 4}
QWEN35_TEXT = hybrids.QWEN35_TEXT | {"rope_parameters": {
    "rope_type": "default", "rope_theta": 1e7, "partial_rotary_factor": 0.5, "mrope_section": [2, 1, 1]}}  # fmt: skip
GEMMA3 = more_dense.GEMMA3 | {"num_hidden_layers": 6}
OPENELM = {
    "architectures": ["OpenELMForCausalLM"], "model_type": "openelm", "num_transformer_layers": 2, "model_dim": 32, "head_dim": 8,
    "num_query_heads": [4, 6], "num_kv_heads": [2, 3], "ffn_multipliers": [0.5, 1.5], "ffn_dim_divisor": 16, "vocab_size": 32000,
    "max_context_length": 64, "rope_freq_constant": 10000,
}  # fmt: skip
XDROPE = {"type": "xdrope", "alpha": 1000.0, "factor": 1.0, "xdrope_section": [2, 2, 2, 2]}
HUNYUAN_VL = config("HunYuanVLForConditionalGeneration", "hunyuan_vl", head_dim=16, num_experts=1, pad_token_id=-1,
                    rope_theta=10000.0, rope_scaling=XDROPE) | GPT2_VOCAB  # fmt: skip
BAICHUAN = config("BaichuanForCausalLM", "baichuan", num_key_value_heads=4)
QWEN = {"architectures": ["QWenLMHeadModel"], "model_type": "qwen", "hidden_size": 32, "intermediate_size": 128,
        "num_hidden_layers": 2, "num_attention_heads": 4, "rms_norm_eps": 1e-6, "rotary_emb_base": 10000, "kv_channels": 8,
        "seq_length": 64, "vocab_size": 544, "max_position_embeddings": 64}  # fmt: skip
HUNYUAN_MOE = config("HunYuanMoEV1ForCausalLM", "hunyuan_v1_moe", num_experts=4, moe_topk=[2, 2], num_shared_expert=[1, 1],
                     moe_intermediate_size=[32, 32], intermediate_size=32, vocab_size=544, hidden_size=32)  # fmt: skip
PLAMO = config(
    "PlamoForCausalLM", "plamo", hidden_size=5120, num_attention_heads=40, num_key_value_heads=1, num_hidden_layers=1
)

COGVLM = newest.COGVLM | ALL_KEYS | {"num_multi_query_heads": 4}
GEMMA3N = gemmas.GEMMA3N | {"hidden_size_per_layer_input": 256, "laurel_rank": 64, "intermediate_size": [96, 96, 96]}
MINIMAX01 = newest.MINIMAX01 | {"num_hidden_layers": 8, "attn_type_list": [0, 0, 0, 0, 0, 0, 0, 1]}
GEMMA4 = gemmas.SMALL | {"architectures": ["Gemma4ForCausalLM"], "hidden_size": 96}
WAV = newest.WAV | {"n_layer": 6, "posnet": {"n_embd": 64, "n_layer": 6}}


def index(config: dict[str, Any], layers: range) -> Shapes:
    """DeepSeek's indexer, whose queries and keys llama.cpp rotates by a matrix of 64 or more."""
    found: Shapes = {}
    for i in layers:
        hf = f"model.layers.{i}.self_attn.indexer"
        found |= linear(f"{hf}.wq_b", 128, config["q_lora_rank"]) | linear(f"{hf}.wk", 64, N)
        found |= linear(f"{hf}.weights_proj", 2, N) | norm(f"{hf}.k_norm", 64, True)
    return found


def ernie(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, head=False) | dense([0], 64, 128)
    for i in (1, 2):
        hf = f"model.layers.{i}.mlp"
        found |= linear(f"{hf}.gate", 4, 64) | {f"{hf}.moe_statics.e_score_correction_bias": (1, 4)}
        found |= experts(f"{hf}.experts", 4, 64, 32) | dense([i], 64, 64, "mlp.shared_experts")
    return found


def codestral() -> Shapes:
    found = r.ends(2048, 64, "backbone.embeddings", "backbone.norm_f", "lm_head")
    for i in range(2):
        found |= norm(f"backbone.layers.{i}.norm", 64) | r.mamba2(f"backbone.layers.{i}.mixer", 64, 128, 16, 8, 2)
    return found


def qwen3_vl_moe(config: dict[str, Any]) -> Shapes:
    found = without_ffn(config, qk_norm="head")
    for i in range(config["num_hidden_layers"]):
        hf = f"model.layers.{i}.mlp"
        found |= {
            f"{hf}.gate.weight": (4, N),
            f"{hf}.experts.gate_up_proj": (4, N, 64),
            f"{hf}.experts.down_proj": (4, 32, N),
        }
    return under("model.", "model.language_model.", found)


def openelm() -> Shapes:
    found: Shapes = {"transformer.token_embeddings.weight": (32000, 32), "transformer.norm.weight": (32,)}
    for i, (n_head, n_head_kv, n_ff) in enumerate(((4, 2, 16), (6, 3, 48))):
        hf = f"transformer.layers.{i}"
        found |= norm(f"{hf}.attn_norm", 32) | norm(f"{hf}.ffn_norm", 32)
        found |= norm(f"{hf}.attn.q_norm", 8) | norm(f"{hf}.attn.k_norm", 8)
        found |= linear(f"{hf}.attn.qkv_proj", (n_head + 2 * n_head_kv) * 8, 32) | linear(
            f"{hf}.attn.out_proj", 32, n_head * 8
        )
        found |= linear(f"{hf}.ffn.proj_1", 2 * n_ff, 32) | linear(f"{hf}.ffn.proj_2", 32, n_ff)
    return found


def baichuan() -> Shapes:
    found = {
        name: shape
        for name, shape in decoder(BAICHUAN).items()
        if not name.endswith(("k_proj.weight", "v_proj.weight"))
    }
    return {name.replace("q_proj", "W_pack"): (192, 64) if "q_proj" in name else shape for name, shape in found.items()}


def qwen() -> Shapes:
    found = linear("transformer.wte", 544, 32) | norm("transformer.ln_f", 32) | linear("lm_head", 544, 32)
    for i in range(2):
        hf = f"transformer.h.{i}"
        found |= norm(f"{hf}.ln_1", 32) | norm(f"{hf}.ln_2", 32) | linear(f"{hf}.attn.c_attn", 96, 32, True)
        found |= linear(f"{hf}.attn.c_proj", 32, 32) | linear(f"{hf}.mlp.w1", 64, 32) | linear(f"{hf}.mlp.w2", 64, 32)
        found |= linear(f"{hf}.mlp.c_proj", 32, 64)
    return found


def hunyuan_moe() -> Shapes:
    found = more_dense.hunyuan(HUNYUAN_MOE)
    found = {name: shape for name, shape in found.items() if ".mlp." not in name}
    for i in range(2):
        hf = f"model.layers.{i}.mlp"
        found |= linear(f"{hf}.gate.wg", 4, 32) | experts(f"{hf}.experts", 4, 32, 32)
        found |= {f"{hf}.shared_mlp.{part}.weight": (32, 32) for part in ("gate_proj", "up_proj", "down_proj")}
    return found


def plamo() -> Shapes:
    """PLaMo 1, which has but one size: 13B, here of one layer."""
    hf = "model.layers.layers.0"
    found = r.ends(2048, 5120, "model.embed_tokens", "model.norm", "lm_head") | norm(f"{hf}.norm", 5120)
    found |= r.attention(f"{hf}.self_attn", 5120, 5120, 640)
    for part in ("gate_proj", "up_proj"):
        found |= linear(f"{hf}.mlp.{part}", 96, 5120)
    return found | linear(f"{hf}.mlp.down_proj", 5120, 96)


CASES = [
    TinyCase("codeshell-head", CODESHELL, "gpt-2",
             tensors=gpt_bigcode(32, 2, 50304, 64, 128) | linear("lm_head", 50304, 32)),
    TinyCase("dots1-all-keys", DOTS, "gpt-2", dtype=mixed, tensors=without_ffn(DOTS, qk_norm="head") | dense([0], N, 96)
             | deepseek_experts([1], 4, N, 32)),
    TinyCase("olmoe-all-keys", OLMOE, "gpt-2", tensors=qwen_like(OLMOE, qk_norm="full")),
    # n_embd is n_head times head_dim in all that were published
    TinyCase("ling2-square", LING2 | {"head_dim": 8}, "gpt-2", dtype=mixed, tensors=mixtures.ling2(LING2 | {"head_dim": 8})),
    # the width of the shared experts is taken to be intermediate_size / num_key_value_heads, which is right for ERNIE-4.5-21B
    TinyCase("ernie-moe-wide", ERNIE, tensors=ernie(ERNIE)),
    TinyCase("nemotron-h-all-tokens", hybrids.NEMOTRON | {"vocab_size": 50304}, "gpt-2", tensors=hybrids.nemotron("M*-", 50304)),
    TinyCase("internlm2-all-tokens", more_dense.INTERNLM2, tensors=more_dense.internlm2(more_dense.INTERNLM2)),
    TinyCase("mamba2-no-biases", CODESTRAL, tensors=codestral()),
    TinyCase("deepseek32-wide-index", without(DSA, "num_nextn_predict_layers") | INDEX | {
        "architectures": ["DeepseekV32ForCausalLM"], "model_type": "deepseek_v32", "scoring_func": "sigmoid"}, "gpt-2",
        files={"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True}},
        tensors=deepseek3(DSA) | index(DSA, range(2))),
    TinyCase("glm-dsa-wide-index", DSA | INDEX | {"indexer_types": ["full", "shared"]}, "gpt-2", files=GLM_TOKENS,
             tensors=deepseek3(DSA, 1) | index(DSA, range(1))),
    TinyCase("plm-all-keys", PLM, "gpt-2",
             tensors=more_dense.latent(PLM, plain_queries=True, mlp="up_proj down_proj", head=False)),
    # more layers than images are fed into
    TinyCase("qwen3-vl-four-layers", vision.whole("Qwen3VLForConditionalGeneration", "qwen3_vl", QWEN3_VL, vision_config={
        "deepstack_visual_indexes": [1, 3]}), tensors=behind("model.language_model.", under(
            "model.", "", decoder(QWEN3_VL, qk_norm="head")), "")),
    TinyCase("qwen3-vl-moe-four-layers", newer_experts.QWEN3_VL | {"text_config": QWEN3_VL_MOE}, "gpt-2",
             tensors=qwen3_vl_moe(QWEN3_VL_MOE)),
    TinyCase("qwen3.5-sections", hybrids.QWEN35 | {"text_config": QWEN35_TEXT}, "gpt-2", tensors=hybrids.VISION
             | hybrids.qwen_next(QWEN35_TEXT, "lf", False, "mtp", prefix="model.language_model.")),
    # one of six layers has no window: without such a layer llama.cpp fills a mask that is not there
    TinyCase("gemma3-embedding-six-layers", GEMMA3 | {
        "architectures": ["Gemma3TextModel"], "use_bidirectional_attention": True},
             tensors=decoder(GEMMA3, qk_norm="head", norms=more_dense.AROUND, head=False, prefix="")),
    TinyCase("openelm", OPENELM, "none", tensors=openelm()),
    # all that llama.cpp wants but what its converter leaves out: the matrices for the places of an image
    TinyCase("cogvlm-all-keys", COGVLM, tensors=newest.cogvlm(COGVLM)),
    # 256 values per token and layer and a rank of 64, both fixed; every layer's feed-forward as wide as the first one's
    TinyCase("gemma3n-wide", GEMMA3N, tensors=gemmas.gemma3n(GEMMA3N, (96, 96, 96))),
    # as wide as the model that Gemma 4's assistant drafts for
    TinyCase("gemma4-96-wide", GEMMA4, "none", files=gemmas.tokenizer(),
             tensors=gemmas.gemma4(GEMMA4, 2) | gemmas.per_layer(GEMMA4, gemmas.N_GEMMA4)),
    # softmax attention in each eighth layer and in no other, whatever the config says
    TinyCase("minimax-01-eight-layers", MINIMAX01, "gpt-2", shards=2, tensors=newest.minimax01(50304, 8)),
    # no experts in the layer that predicts
    TinyCase("dots3-wide-index", newest.DOTS3 | INDEX, "gpt-2", files=newest.DOTS3_TOKENS, dtype=mixed,
             tensors=newest.dots3(True, 64, (0, 2))),
    # two resnets, attention, two resnets and a norm
    TinyCase("wavtokenizer-six-layers", WAV, "none", tensors=newest.wavtokenizer("rrarrn")),
    TinyCase("hunyuan-vl", HUNYUAN_VL, "gpt-2", tensors=more_dense.hunyuan(HUNYUAN_VL)),
]  # fmt: skip

NOT_RECORDED = [
    TinyCase("baichuan", BAICHUAN, tensors=baichuan()),
    TinyCase("qwen", QWEN, "none", files={"qwen.tiktoken": rank_lines()}, tensors=qwen()),
    TinyCase("hunyuan-moe", HUNYUAN_MOE, "none", files={"hy.tiktoken": rank_lines()}, tensors=hunyuan_moe()),
    TinyCase("plamo", PLAMO, tensors=plamo()),
]  # fmt: skip
"""Without digests: llama.cpp's converter fails on Baichuan and runs code of the repository for Qwen and HunYuan; PLaMo is large.

A published Qwen calls its epsilon layer_norm_epsilon, which the converter writes under a key that llama.cpp does not read.
"""
