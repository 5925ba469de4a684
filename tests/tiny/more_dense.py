"""Tiny checkpoints of more dense decoders: joined matrices, names of their own, vocabularies with rules of their own."""

from __future__ import annotations

from typing import Any

from tests.tiny.base import GPT2_VOCAB, config
from tests.tiny.decoders import Shapes, decoder, renamed
from tests.tiny.joined import gpt_bigcode, gpt_neox, joined, mpt, under
from tests.tiny_checkpoints import TinyCase, without

AROUND = "input_layernorm post_attention_layernorm pre_feedforward_layernorm post_feedforward_layernorm"
GLM_NORMS = "input_layernorm post_self_attn_layernorm post_attention_layernorm post_mlp_layernorm"
LONGROPE = {"type": "longrope", "short_factor": [1.0, 1.1, 1.25, 1.5], "long_factor": [1.0, 2.0, 3.5, 7]}
ADDED = {
    "added_tokens.json": {"<|a|>": 2048, "<|far|>": 9999},
    "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "added_tokens_decoder": {
        "2": {"content": "</s>", "special": True}, "2049": {"content": "<|im_end|>", "special": True},
        "2050": {"content": "▁plain", "special": False}}},
}  # fmt: skip
GLM_TOKENS = {
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": {
        "50256": {"content": "<|endoftext|>", "special": True}, "50257": {"content": "<|user|>", "special": True}}},
}  # fmt: skip

PHI3 = config("Phi3ForCausalLM", "phi3", num_attention_heads=8, max_position_embeddings=1024, vocab_size=2112,
              original_max_position_embeddings=256)  # fmt: skip
GEMMA3 = config("Gemma3ForCausalLM", "gemma3_text", head_dim=32, sliding_window=64, rope_local_base_freq=5000.0)
GLM4 = config("Glm4ForCausalLM", "glm4", head_dim=16) | GPT2_VOCAB
INTERNLM2 = config("InternLM2ForCausalLM", "internlm2", rope_theta=1e6)
INTERNLM3 = config("InternLM3ForCausalLM", "internlm3", head_dim=32, rope_theta=5e7, vocab_size=2112)
ERNIE = config("Ernie4_5_ForCausalLM", "ernie4_5", head_dim=16)
HUNYUAN = (
    config("HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense", head_dim=16, max_position_embeddings=32768) | GPT2_VOCAB
)
MINICPM = config("MiniCPMForCausalLM", "minicpm", scale_emb=12, scale_depth=1.4, dim_model_base=16)
MINICPM3 = config("MiniCPM3ForCausalLM", "minicpm3", q_lora_rank=24, kv_lora_rank=16, qk_nope_head_dim=16,
                  qk_rope_head_dim=8, num_key_value_heads=4)  # fmt: skip
APERTUS = config("ApertusForCausalLM", "apertus", hidden_act="xielu")
DREAM = config("DreamModel", "Dream", mask_token_id=5)
NEOX = {"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 128, "vocab_size": 50304}  # fmt: skip
BIGCODE = {"architectures": ["GPTBigCodeForCausalLM"], "model_type": "gpt_bigcode", "n_embd": 32, "n_layer": 2, "n_head": 4,
           "n_positions": 64, "vocab_size": 50304}  # fmt: skip
MPT = {"architectures": ["MPTForCausalLM"], "model_type": "mpt", "d_model": 32, "n_layers": 2, "n_heads": 4,
       "max_seq_len": 64, "vocab_size": 50304, "attn_config": {"alibi": True, "alibi_bias_max": 16, "clip_qkv": 6}}  # fmt: skip
QWEN2VL = config("Qwen2VLForConditionalGeneration", "qwen2_vl", rope_theta=1e6, rope_scaling={
    "type": "mrope", "mrope_section": [2, 3, 3]})  # fmt: skip


def internlm2(config: dict[str, Any]) -> Shapes:
    names = {
        "embed_tokens": "tok_embeddings", "self_attn": "attention", "o_proj": "wo", "input_layernorm": "attention_norm",
        "post_attention_layernorm": "ffn_norm", "mlp": "feed_forward", "gate_proj": "w1", "down_proj": "w2",
        "up_proj": "w3", "lm_head": "output",
    }  # fmt: skip
    return renamed(joined(config, qkv="wqkv"), names)


def latent(config: dict[str, Any], plain_queries: bool = False, **traits: Any) -> Shapes:
    """A decoder whose attention is that of MiniCPM3, or PLM's where queries are plain."""
    n_embd, n_head = config["hidden_size"], config["num_attention_heads"]
    value = config.get("v_head_dim") or n_embd // n_head
    found: Shapes = {}
    for name, shape in decoder(config, **traits).items():
        part = name.split(".q_proj")[0]
        if ".q_proj" in name:
            if plain_queries:
                found[name] = (n_head * 24, n_embd)
            else:
                found |= {f"{part}.q_a_proj.weight": (24, n_embd), f"{part}.q_a_layernorm.weight": (24,),
                          f"{part}.q_b_proj.weight": (n_head * 24, 24)}  # fmt: skip
            found |= {f"{part}.kv_a_proj_with_mqa.weight": (24, n_embd), f"{part}.kv_a_layernorm.weight": (16,),
                      f"{part}.kv_b_proj.weight": (n_head * (16 + value), 16)}  # fmt: skip
        elif ".o_proj" in name:
            found[name] = (n_embd, n_head * value)
        elif ".k_proj" not in name and ".v_proj" not in name:
            found[name] = shape
    return found


def apertus(config: dict[str, Any]) -> Shapes:
    found = decoder(config, qk_norm="head", mlp="up_proj down_proj", norms="attention_layernorm feedforward_layernorm")
    numbers = ("alpha_n", "alpha_p", "beta", "eps")
    return found | {f"model.layers.{i}.mlp.act_fn.{name}": (1,) for i in (0, 1) for name in numbers}


def hunyuan(config: dict[str, Any], **traits: Any) -> Shapes:
    return renamed(decoder(config, qk_norm="head", **traits), {"q_norm": "query_layernorm", "k_norm": "key_layernorm"})


CASES = [
    TinyCase("phi3-longrope", PHI3 | {"rope_scaling": LONGROPE, "sliding_window": 99}, files=ADDED, dtype="F16",
             tensors=joined(PHI3, qkv="qkv_proj", gate_up="gate_up_proj")),
    TinyCase("phi3-su-few-keys", without(PHI3, "rms_norm_eps", "num_key_value_heads") | {"rope_scaling": LONGROPE | {
        "type": "su"}}, files=ADDED, tensors=joined(without(PHI3, "num_key_value_heads"), "qkv_proj", "gate_up_proj")),
    TinyCase("phi3-refused-rope", PHI3 | {"rope_theta": 1e6, "rope_scaling": LONGROPE | {"rope_type": "yarn"}}, shards=2,
             tensors=joined(PHI3, qkv="qkv_proj", gate_up="gate_up_proj")),
    TinyCase("phi3-gpt2-tokenizer", without(PHI3, "original_max_position_embeddings") | GPT2_VOCAB
             | {"partial_rotary_factor": 0.5}, "gpt-2", files={"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}},
             tensors=joined(PHI3 | GPT2_VOCAB, qkv="qkv_proj", gate_up="gate_up_proj", head=False)),
    TinyCase("gemma3", GEMMA3 | {"rope_scaling": {"rope_type": "linear", "factor": 8.0}},
             tensors=decoder(GEMMA3 | {"vocab_size": 2112}, qk_norm="head", norms=AROUND, head=False)),
    TinyCase("gemma3-few-keys", without(GEMMA3, "sliding_window", "rms_norm_eps", "rope_local_base_freq",
                                        "max_position_embeddings", "num_key_value_heads")
             | {"final_logit_softcapping": 30.0, "use_bidirectional_attention": True}, dtype="F32",
             tensors=decoder(GEMMA3 | {"num_key_value_heads": 4}, qk_norm="head", norms=AROUND)),
    TinyCase("gemma3-plain", without(GEMMA3, "rms_norm_eps", "rope_local_base_freq")
             | {"model_type": "gemma3_custom", "sliding_window_pattern": 1},
             tensors=decoder(GEMMA3, qk_norm="head", norms=AROUND, head=False)),
    TinyCase("gemma3-embedding", GEMMA3 | {"architectures": ["Gemma3TextModel"], "use_bidirectional_attention": True},
             files={"modules.json": [{"type": "x.Pooling", "path": "1_Pooling"}],
                    "1_Pooling/config.json": {"pooling_mode_mean_tokens": True}},
             tensors=decoder(GEMMA3, qk_norm="head", norms=AROUND, head=False, prefix="")),
    TinyCase("glm4", GLM4, "gpt-2", files=GLM_TOKENS, tensors=joined(
        GLM4, gate_up="gate_up_proj", qkv_bias=True, norms=GLM_NORMS)),
    TinyCase("glm4-few-keys", without(GLM4, "head_dim", "rms_norm_eps", "num_key_value_heads") | {
        "partial_rotary_factor": 0.25, "head_dim": 8}, "gpt-2", files=GLM_TOKENS, dtype="F32", tensors=joined(
        GLM4 | {"head_dim": 8}, gate_up="gate_up_proj", norms=GLM_NORMS, head=False)),
    TinyCase("internlm2", INTERNLM2 | {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, files={
        "tokenizer_config.json": {"added_tokens_decoder": {"7": {"content": "<|im_end|>", "special": True}}},
        "added_tokens.json": {"<|more|>": 2048}}, tensors=internlm2(INTERNLM2)),
    TinyCase("internlm2-all-keys", without(INTERNLM2 | {"num_key_value_heads": 4, "tie_word_embeddings": True}, "rope_theta"),
             dtype="F16", tensors=without(internlm2(INTERNLM2 | {"num_key_value_heads": 4}), "output.weight")),
    TinyCase("internlm3", INTERNLM3 | {"rope_scaling": {"rope_type": "dynamic", "factor": 6.0}}, files=ADDED,
             tensors=decoder(INTERNLM3)),
    TinyCase("internlm3-biases", without(INTERNLM3, "head_dim") | {"qkv_bias": True, "bias": True}, files={
        "tokenizer_config.json": {"add_prefix_space": False, "eos_token": "</s>"}},
        tensors=decoder(without(INTERNLM3, "head_dim"), qkv_bias=True, o_bias=True, mlp_bias=True)),
    TinyCase("ernie4.5", without(ERNIE, "rms_norm_eps", "num_key_value_heads"), files={
        "tokenizer_config.json": {"add_prefix_space": True}}, tensors=decoder(ERNIE, head=False)),
    TinyCase("ernie4.5-joined", ERNIE | {"architectures": ["Ernie4_5ForCausalLM"], "model_type": "other"}, dtype="F16",
             tensors=under("model.", "ernie.", joined(ERNIE, qkv="qkv_proj", gate_up="up_gate_proj"))),
    TinyCase("hunyuan", HUNYUAN | {"rope_scaling": {"type": "dynamic", "alpha": 1000.0, "factor": 1.0}, "eod_token_id": 9},
             "gpt-2", files={"generation_config.json": {"eos_token_id": [11, 12]}}, tensors=hunyuan(HUNYUAN)),
    TinyCase("hunyuan-tied", without(HUNYUAN, "rms_norm_eps", "num_key_value_heads", "head_dim")
             | {"tie_word_embeddings": True, "num_experts": 1, "pad_token_id": -1}, "gpt-2", tensors=hunyuan(
        without(HUNYUAN, "head_dim", "num_key_value_heads"), qkv_bias=True, o_bias=True)),
    TinyCase("xverse", config("XverseForCausalLM", "xverse", max_position_tokens=99, vocab_size=32000, hidden_size=32),
             "llama-fast", tensors=decoder({"hidden_size": 32, "intermediate_size": 96, "num_hidden_layers": 2,
                                            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 32000})),
    TinyCase("minicpm", MINICPM, tensors=decoder(MINICPM, head=False)),
    TinyCase("minicpm-longrope", MINICPM | {"rope_scaling": {
        "rope_type": "longrope", "long_factor": [1.5] * 8, "short_factor": [1] * 8,
        "original_max_position_embeddings": 128}}, dtype="F16", tensors=decoder(MINICPM)),
    TinyCase("minicpm3", MINICPM3, tensors=latent(MINICPM3, head=False)),
    TinyCase("minicpm3-longrope", MINICPM3 | {"rope_scaling": {
        "type": "longrope", "long_factor": [1.5] * 4, "short_factor": [1] * 4}}, tensors=latent(MINICPM3)),
    TinyCase("apertus", APERTUS, shards=2, tensors=apertus(APERTUS)),
    TinyCase("apertus-linear-rope", without(APERTUS, "rms_norm_eps") | {
        "rope_scaling": {"type": "linear", "factor": 2.0}, "head_dim": 8}, dtype="F32",
        tensors=apertus(APERTUS | {"head_dim": 8})),
    TinyCase("dream", DREAM | {"is_causal": False}, tensors=decoder(DREAM, qkv_bias=True)),
    TinyCase("llada", {"architectures": ["LLaDAModelLM"], "model_type": "llada", "d_model": 32, "n_heads": 4, "n_kv_heads": 2,
                       "n_layers": 2, "mlp_hidden_size": 96, "max_sequence_length": 64, "vocab_size": 50304,
                       "rms_norm_eps": 1e-5, "rope_theta": 5e5, "weight_tying": False}, "gpt-2", tensors=renamed(
        decoder({"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2,
                 "intermediate_size": 96, "vocab_size": 50304}), {
            "model.norm": "model.transformer.ln_f", "model.layers": "model.transformer.blocks", "lm_head":
            "model.transformer.ff_out", "model.embed_tokens": "model.transformer.wte", "self_attn.o_proj": "attn_out",
            "self_attn.": "", "mlp.gate_proj": "ff_proj", "mlp.up_proj": "up_proj", "mlp.down_proj": "ff_out",
            "input_layernorm": "attn_norm", "post_attention_layernorm": "ff_norm"})),
    TinyCase("gptneox", NEOX, "gpt-2", tensors=gpt_neox(32, 2, 50304, 96)),
    TinyCase("gptneox-serial", NEOX | {"use_parallel_residual": False, "rotary_pct": 1.0, "layer_norm_eps": 1e-6}, "gpt-2",
             dtype="F16", tensors=without(gpt_neox(32, 2, 50304, 96), "embed_out.weight")
             | {"gpt_neox.layers.0.attention.rotary_emb.inv_freq": (4,), "gpt_neox.layers.0.attention.masked_bias": (1,)}),
    TinyCase("starcoder", BIGCODE, "gpt-2", tensors=gpt_bigcode(32, 2, 50304, 48, 128, 64)),
    TinyCase("starcoder-many-keys", without(BIGCODE, "n_positions") | {"multi_query": False, "n_inner": 96}, "gpt-2",
             dtype="F32", tensors=gpt_bigcode(32, 2, 50304, 96, 96, 1024)),
    TinyCase("codeshell", without(BIGCODE, "model_type") | {"architectures": ["CodeShellForCausalLM"], "num_query_groups": 2,
             "layer_norm_epsilon": 1e-5, "model_type": "codeshell"}, "gpt-2", tensors=gpt_bigcode(32, 2, 50304, 64, 128)),
    TinyCase("mpt", MPT, "gpt-2", tensors=mpt(32, 2, 50304, 96)),
    TinyCase("mpt-biases", without(MPT, "attn_config"), "gpt-2", dtype="F16", tensors=mpt(32, 2, 50304, 96, True, True)),
    TinyCase("mpt-sentencepiece", MPT | {"vocab_size": 2048, "model_type": "custom", "attn_config": {
        "kv_n_heads": 2, "clip_qkv": None, "alibi": False}}, tensors=mpt(32, 2, 2048, 64)
        | {"transformer.wpe.weight": (64, 32)}),
    TinyCase("refact", {"architectures": ["GPTRefactForCausalLM"], "model_type": "gpt_refact", "n_embd": 32, "n_layer": 1,
                        "n_head": 4, "n_positions": 64, "layer_norm_epsilon": 1e-5, "vocab_size": 50304}, "gpt-2", tensors={
        "transformer.wte.weight": (50304, 32), "transformer.ln_f.weight": (32,), "transformer.h.0.ln_1.weight": (32,),
        "transformer.h.0.ln_2.weight": (32,), "transformer.h.0.attn.q.weight": (32, 32),
        "transformer.h.0.attn.kv.weight": (16, 32), "transformer.h.0.attn.c_proj.weight": (32, 32),
        "transformer.h.0.mlp.gate_up_proj.weight": (512, 32), "transformer.h.0.mlp.c_proj.weight": (32, 256)}),
]  # fmt: skip
