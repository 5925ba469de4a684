"""Tiny checkpoints of decoders that few others are like: layers that differ, scales, vocabularies of their own."""

from __future__ import annotations

from typing import Any

from tests.tiny.base import BASE, GPT2_VOCAB, config
from tests.tiny.decoders import Shapes, decoder, gpt2, linear, norm, renamed
from tests.tiny.dense import BEHIND
from tests.tiny.joined import behind, joined, under, vision
from tests.tiny.more_dense import GLM_TOKENS, latent
from tests.tiny_checkpoints import LLAMA3_ROPE, TinyCase, without

JAIS = {"architectures": ["JAISLMHeadModel"], "model_type": "jais", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 96,
        "n_positions": 64, "vocab_size": 50304, "layer_norm_epsilon": 1e-5, "activation_function": "swiglu",
        "position_embedding_type": "alibi", "embeddings_scale": 14.6, "width_scale": 0.11}  # fmt: skip
JAIS2 = config("Jais2ForCausalLM", "jais2", layer_norm_eps=1e-5) | GPT2_VOCAB
GLM = config("GlmForCausalLM", "glm", head_dim=8) | GPT2_VOCAB
CHATGLM = {"architectures": ["ChatGLMModel"], "model_type": "chatglm", "hidden_size": 32, "num_layers": 2, "seq_length": 128,
           "num_attention_heads": 4, "multi_query_group_num": 2, "ffn_hidden_size": 96, "padded_vocab_size": 50304,
           "vocab_size": 50304, "layernorm_epsilon": 1.5e-7, "rope_ratio": 500, "kv_channels": 8}  # fmt: skip
PANGU = config("PanguEmbeddedForCausalLM", "pangu", bias=True)
PLM = (
    config("PLMForCausalLM", "plm", kv_lora_rank=16, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=12)
    | GPT2_VOCAB
)
CHAMELEON = config("ChameleonForConditionalGeneration", "chameleon", swin_norm=True, num_key_value_heads=4) | GPT2_VOCAB
TALKIE = config("TalkieForCausalLM", "talkie", head_dim=8, num_key_value_heads=4) | GPT2_VOCAB
HRM = config("HrmTextForCausalLM", "hrm_text", H_cycles=2, L_cycles=3, num_layers_per_stack=1, embedding_scale=8.0,
             num_key_value_heads=4, prefix_lm=True) | GPT2_VOCAB  # fmt: skip
SPARK = config("Spark2_5ForCausalLM", "spark2_5", head_dim=8, gate_attn_act_mode="sigmoid", headwise_attn_output_gate=True,
               hidden_act="gelu", sliding_window=32, layer_types=["sliding_attention", "full_attention"], rope_parameters={
                   "full_attention": {"rope_theta": 1e6, "partial_rotary_factor": 0.5, "rope_type": "default"},
                   "sliding_attention": {"rope_theta": 1e4, "partial_rotary_factor": 1.0}}) | GPT2_VOCAB  # fmt: skip
DECI = config("DeciLMForCausalLM", "nemotron-nas", vocab_size=32000, hidden_size=32, num_hidden_layers=3)
MAINCODER = config("MaincoderForCausalLM", "maincoder", head_dim=8) | GPT2_VOCAB
RUGPT3 = config("RuGPT3XLForCausalLM", "rugpt3xl", layer_norm_eps=1e-5, num_key_value_heads=4) | GPT2_VOCAB
GRANITE_SWA = config(
    "GraniteSWAForCausalLM", "granite_swa", attention_multiplier=0.5, logits_scaling=4.0, no_rope_layers=[1, 0]
)
EXAONE = {key: value for key, value in BASE.items() if key != "tie_word_embeddings"} | GPT2_VOCAB


def jais(slopes: bool = True) -> Shapes:
    found = gpt2(32, 2, 50304, 64) | {"lm_head.weight": (50304, 32)}
    found = {name: shape for name, shape in found.items() if ".wpe." not in name and ".mlp." not in name}
    for i in range(2):
        layer = f"transformer.h.{i}.mlp"
        for name, rows, cols in (("c_fc", 32, 96), ("c_fc2", 32, 96), ("c_proj", 96, 32)):
            found |= {f"{layer}.{name}.weight": (rows, cols), f"{layer}.{name}.bias": (cols,)}
    return found | ({"transformer.relative_pe.slopes": (4, 1, 1)} if slopes else {})


def chatglm(prefix: str = "transformer.") -> Shapes:
    found = linear(f"{prefix}embedding.word_embeddings", 50304, 32) | norm(f"{prefix}encoder.final_layernorm", 32)
    for i in range(2):
        layer = f"{prefix}encoder.layers.{i}"
        found |= norm(f"{layer}.input_layernorm", 32) | norm(f"{layer}.post_attention_layernorm", 32)
        found |= linear(f"{layer}.self_attention.query_key_value", 64, 32, True) | linear(
            f"{layer}.self_attention.dense", 32, 32
        )
        found |= linear(f"{layer}.mlp.dense_h_to_4h", 192, 32) | linear(f"{layer}.mlp.dense_4h_to_h", 32, 96)
    return found | linear(f"{prefix}output_layer", 50304, 32) | {f"{prefix}rotary_pos_emb.inv_freq": (2,)}


def talkie() -> Shapes:
    found = linear("model.embed", 50304, 32) | linear("lm_head", 50304, 32) | {"lm_head_gain.w_g": (1,)}
    for i in range(2):
        layer = f"model.blocks.{i}"
        for name in ("query", "key", "value", "resid"):
            found |= linear(f"{layer}.attn.attn_{name}", 32, 32)
        found |= linear(f"{layer}.mlp.mlp_gate", 96, 32) | linear(f"{layer}.mlp.mlp_linear", 96, 32)
        found |= linear(f"{layer}.mlp.mlp_resid", 32, 96) | {f"{layer}.attn.head_gain.head_g": (4,)}
        found |= {f"{layer}.{name}.a_g": (1,) for name in ("attn_gain", "mlp_gain", "embed_skip")}
    return found


def hrm() -> Shapes:
    found = linear("model.embed_tokens", 50304, 32) | linear("lm_head", 50304, 32) | {"model.z_L_init": (32,)}
    for stack in "LH":
        layer = f"model.{stack}_module.layers.0"
        found |= linear(f"{layer}.attn.gqkv_proj", 128, 32) | linear(f"{layer}.attn.o_proj", 32, 32)
        found |= linear(f"{layer}.mlp.gate_up_proj", 192, 32) | linear(f"{layer}.mlp.down_proj", 32, 96)
    return found


def chameleon() -> Shapes:
    head = {
        f"model.layers.{i}.self_attn.{part}_norm.{end}": (1, 8)
        for i in (0, 1)
        for part in "qk"
        for end in ("weight", "bias")
    }
    return decoder(CHAMELEON) | head | {"model.vqmodel.encoder.conv_in.weight": (8, 3, 3, 3)}


def blocks(*layers: tuple[int | None, bool, float | None]) -> list[dict[str, Any]]:
    return [{"attention": {"n_heads_in_group": group, "replace_with_linear": linear_part, "no_op": False},
             "ffn": {"ffn_mult": mult}} for group, linear_part, mult in layers]  # fmt: skip


def deci_blocks() -> Shapes:
    whole = decoder(DECI | {"intermediate_size": 256})
    found = {
        name: shape for name, shape in whole.items() if ".layers.1.self_attn" not in name and ".layers.2." not in name
    }
    found |= linear("model.layers.1.self_attn.linear_attn", 32, 32)
    return {name: (512, 32) if ".1.mlp" in name and shape[0] == 256 else (32, 512) if ".1.mlp" in name else shape
            for name, shape in found.items()}  # fmt: skip


def bitnet(attention: str = "inner_attn_ln", ffn: str = "ffn_layernorm") -> Shapes:
    found = decoder(BASE, head=False)
    for i in (0, 1):
        found |= norm(f"model.layers.{i}.self_attn.{attention}", 64) | norm(f"model.layers.{i}.mlp.{ffn}", 96)
    return found


CASES = [
    TinyCase("bitnet", config("BitnetForCausalLM", "llama"), tensors=bitnet()),
    TinyCase("bitnet-few-keys", without(config("BitNetForCausalLM", "bitnet", rope_scaling={"type": "linear", "factor": 4.0}),
                                        "rms_norm_eps", "max_position_embeddings"), dtype="F16", tensors=bitnet()),
    TinyCase("jais-mup", without(JAIS, "embeddings_scale", "width_scale") | {
        "mup_embeddings_scale": 9.1, "mup_output_alpha": 2.2, "mup_width_scale": 0.5}, "gpt-2", dtype="F16", tensors=jais(False)),
    TinyCase("jais2", JAIS2, "gpt-2", tensors=decoder(
        JAIS2, qkv_bias=True, o_bias=True, mlp_bias=True, norm_bias=True, mlp="up_proj down_proj")),
    TinyCase("glm", GLM, "gpt-2", files=GLM_TOKENS, tensors=joined(GLM, gate_up="gate_up_proj", qkv_bias=True)),
    TinyCase("chatglm", CHATGLM, "gpt-2", files=GLM_TOKENS, dtype="F16", tensors=chatglm()),
    TinyCase("pangu-tied", PANGU | {"tie_word_embeddings": True}, files={"tokenizer_config.json": {"add_prefix_space": False}},
             tensors=decoder(PANGU, qkv_bias=True, o_bias=True)),
    TinyCase("plm", PLM, "gpt-2", tensors=latent(PLM, plain_queries=True, mlp="up_proj down_proj", head=False)),
    TinyCase("chameleon", CHAMELEON, "gpt-2", tensors=chameleon()),
    TinyCase("talkie", TALKIE, "gpt-2", tensors=talkie()),
    TinyCase("talkie-f16", TALKIE, "gpt-2", dtype="F16", tensors=talkie()),
    TinyCase("hrm-text", HRM, "gpt-2", tensors=hrm()),
    TinyCase("spark", SPARK, "gpt-2", tensors=joined(SPARK, qkv="q_k_v_proj") | {
        f"model.layers.{i}.self_attn.g_proj.weight": (4, 32) for i in (0, 1)}),
    TinyCase("deci-blocks", DECI | {"rope_scaling": LLAMA3_ROPE, "block_configs": blocks(
        (2, False, 4.0), (None, True, 16.0), (None, False, None))}, "llama-fast", tensors=deci_blocks()),
    TinyCase("deci-7b", DECI | {"num_key_value_heads_per_layer": [2, 4, 1], "num_hidden_layers": 3}, "llama-fast",
             tensors=decoder(DECI) | {f"model.layers.{i}.self_attn.{part}_proj.weight": (8 * n, 32)
                                      for i, n in enumerate((2, 4, 1)) for part in "kv"}),
    TinyCase("maincoder", MAINCODER, "gpt-2", tensors=decoder(MAINCODER, qk_norm="head")),
    TinyCase("rugpt3xl", RUGPT3, "gpt-2", tensors=decoder(
        RUGPT3, qkv_bias=True, o_bias=True, mlp_bias=True, norm_bias=True, mlp="up_proj down_proj")
        | {"model.embed_positions.weight": (512, 32)}),
    TinyCase("gpt2-bare", {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4,
                           "n_ctx": 64, "n_positions": 64, "vocab_size": 50304}, "gpt-2", tensors=under(
        "transformer.", "", gpt2(32, 2, 50304, 64))),
    TinyCase("granite-swa", GRANITE_SWA, tensors=decoder(GRANITE_SWA) | {
        f"model.layers.{i}.self_attn.sinks": (4,) for i in (0, 1)}),
    TinyCase("granite-speech", {"architectures": ["GraniteSpeechForConditionalGeneration"], "model_type": "granite_speech",
                                "text_config": {key: value for key, value in BASE.items() if key != "rms_norm_eps"} | {
        "model_type": "granite", "architectures": ["GraniteForCausalLM"], "embedding_multiplier": 12.0}}, tensors=behind(
        "language_model.", decoder(BASE)) | {"encoder.layers.0.x.weight": (8, 8), "projector.query": (1, 4, 8)}),
    TinyCase("exaone4.5", {"architectures": ["Exaone4_5_ForConditionalGeneration"], "model_type": "exaone4_5", "text_config":
                           EXAONE | {"model_type": "exaone4", "sliding_window": 64, "sliding_window_pattern": "LG",
                                     "num_nextn_predict_layers": 1}}, "gpt-2", tensors=behind(
        "model.language_model.", under("model.", "", decoder(EXAONE, qk_norm="head", norms=BEHIND)), "")
        | {name.replace("model.layers.0", "mtp.layers.0"): shape
           for name, shape in decoder(EXAONE, qk_norm="head", norms=BEHIND).items() if "layers.0" in name}
        | {"mtp.fc.weight": (32, 64), "mtp.norm.weight": (32,), "mtp.pre_fc_norm_embedding.weight": (32,),
           "mtp.pre_fc_norm_hidden.weight": (32,)} | vision("model.visual.")),
    TinyCase("kormo-norms", config("KORMoForCausalLM", "kormo"), tensors=renamed(decoder(BASE), {
        "input_layernorm": "pre_attention_layernorm", "post_attention_layernorm": "pre_mlp_layernorm"})),
]  # fmt: skip
