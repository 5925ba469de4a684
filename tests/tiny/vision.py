"""Tiny multimodal checkpoints whose language model is a decoder: its config in a section, its tensors behind a prefix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.tiny import experts
from tests.tiny.base import BASE, GPT2_VOCAB, config
from tests.tiny.decoders import decoder
from tests.tiny.joined import behind, joined, under, vision
from tests.tiny.more_dense import AROUND, GLM_NORMS, GLM_TOKENS
from tests.tiny_checkpoints import YARN, TinyCase, without


def whole(hf_class: str, model_type: str, text: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A config with a text section."""
    return {"architectures": [hf_class], "model_type": model_type, "text_config": text} | values


def vision_in_f32(name: str) -> str:
    return "F32" if "vision" in name else "BF16"


TEXT = without(BASE, "tie_word_embeddings")
LLAMA = TEXT | {"model_type": "llama"}
MISTRAL = TEXT | {"model_type": "mistral", "head_dim": 32}
QWEN2 = TEXT | {"model_type": "qwen2"}
QWEN3 = TEXT | {"model_type": "qwen3_vl_text", "head_dim": 16, "rope_theta": 5e6, "rope_scaling": {
    "rope_type": "default", "mrope_section": [3, 3, 2], "mrope_interleaved": True}}  # fmt: skip
GEMMA3 = TEXT | {"model_type": "gemma3_text", "head_dim": 32, "sliding_window": 64}
MROPE = {"type": "mrope", "mrope_section": [2, 3, 3]}
GLM = TEXT | GPT2_VOCAB | {"model_type": "glm4v_text", "head_dim": 16, "rope_scaling": {
    "rope_type": "default", "mrope_section": [1, 1, 2]}, "partial_rotary_factor": 0.5}  # fmt: skip
LANGUAGE = "language_model."


def wrapped(name: str, case: TinyCase, hf_class: str, model_type: str) -> TinyCase:
    """A decoder's case as the language model of a multimodal checkpoint."""
    return replace(
        case,
        name=name,
        config=whole(hf_class, model_type, without(case.config, "architectures")),
        tensors=behind("language_model.", case.tensors or {}) | vision(),
    )


EXPERTS = {case.name: case for case in experts.CASES}

CASES = [
    wrapped("llama4-vision", EXPERTS["llama4-interleaved"], "Llama4ForConditionalGeneration", "llama4"),
    wrapped("youtu-vl", EXPERTS["youtu"], "YoutuVLForConditionalGeneration", "youtu_vl"),
    TinyCase("llava", whole("LlavaForConditionalGeneration", "llava", LLAMA),
             tensors=behind(LANGUAGE, decoder(LLAMA)) | vision()),
    TinyCase("llava-mistral-few-keys", whole("LlavaForConditionalGeneration", "llava", without(
        MISTRAL, "rms_norm_eps", "max_position_embeddings") | {"rope_scaling": YARN}), dtype="F32",
        tensors=behind("model.language_model.", under("model.", "", decoder(MISTRAL)), "") | vision("model.vision_tower.")),
    TinyCase("llava-qwen2-text", whole("LlavaForConditionalGeneration", "llava", QWEN2 | {
        "architectures": ["Qwen2ForCausalLM"]}), tensors=behind(LANGUAGE, decoder(QWEN2, qkv_bias=True)) | vision()),
    TinyCase("smolvlm", whole("SmolVLMForConditionalGeneration", "smolvlm", without(LLAMA, "rms_norm_eps") | {
        "architectures": ["VLlama3ForCausalLM"]}), tensors=behind(
            "model.text_model.", under("model.", "", decoder(LLAMA)), "") | vision("model.vision_model.")
            | {"model.connector.modality_projection.proj.weight": (64, 32)}),
    TinyCase("internvl-custom", {"architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "llm_config": QWEN2 | {
        "architectures": ["Qwen2ForCausalLM"]}, "vision_config": {"num_hidden_layers": 3}}, dtype="F16",
        tensors=behind(LANGUAGE, decoder(QWEN2, qkv_bias=True)) | vision("vision_model.") | {"mlp1.0.weight": (32,)}),
    TinyCase("voxtral", whole("VoxtralForConditionalGeneration", "voxtral", LLAMA), tensors=behind(
        LANGUAGE, decoder(LLAMA | {"head_dim": 128})) | vision("audio_tower.")),
    TinyCase("janus", whole("JanusForConditionalGeneration", "janus", LLAMA), tensors=behind(
        "model.language_model.", under("model.", "", decoder(LLAMA)), "") | vision("model.vision_model.")
        | {"model.vqmodel.quantize.embedding.weight": (4, 4), "model.aligner.fc1.weight": (4, 4)}),
    TinyCase("sarashina", {"architectures": ["Sarashina2VisionForCausalLM"], "model_type": "sarashina2_vision",
                           "text_config": LLAMA | {"architectures": ["LlamaForCausalLM"]}}, tensors=behind(
        "llm.", decoder(LLAMA)) | vision("visual.") | {"norm.weight": (64,)}),
    TinyCase("mistral3", whole("Mistral3ForConditionalGeneration", "mistral3", MISTRAL | {"rope_theta": 1e9}), tensors=behind(
        LANGUAGE, decoder(MISTRAL)) | vision()),
    TinyCase("ministral3", whole("Mistral3ForConditionalGeneration", "mistral3", MISTRAL | {
        "model_type": "ministral3", "rope_parameters": YARN | {
            "rope_theta": 1e6, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1, "mscale": 1.0}}), tensors=behind(
        LANGUAGE, decoder(MISTRAL, head=False)) | vision()),
    TinyCase("ministral3-text", MISTRAL | {"architectures": ["Ministral3ForCausalLM"], "model_type": "mistral"},
             tensors=decoder(MISTRAL)),
    TinyCase("gemma3-vision", whole("Gemma3ForConditionalGeneration", "gemma3", without(
        GEMMA3, "rms_norm_eps", "model_type", "max_position_embeddings")), dtype=vision_in_f32,
        tensors=behind(LANGUAGE, decoder(GEMMA3, qk_norm="head", norms=AROUND, head=False)) | vision()),
    TinyCase("qwen2-vl-flat", QWEN2 | {"architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl",
             "rope_scaling": MROPE, "vision_config": {"depth": 2}}, tensors=decoder(QWEN2, qkv_bias=True) | vision("visual.")),
    TinyCase("qwen2.5-vl", whole("Qwen2_5_VLForConditionalGeneration", "qwen2_5_vl", without(
        QWEN2, "num_key_value_heads", "rms_norm_eps") | {"model_type": "qwen2_5_vl_text", "rope_scaling": MROPE,
        "num_key_value_heads": None}), shards=2, tensors=behind("model.language_model.", under(
            "model.", "", decoder(without(QWEN2, "num_key_value_heads"), qkv_bias=True)), "") | vision("model.visual.")),
    TinyCase("qwen2.5-omni", {"architectures": ["Qwen2_5OmniModel"], "model_type": "qwen2_5_omni", "thinker_config": {
        "model_type": "qwen2_5_omni_thinker", "text_config": QWEN2 | {"model_type": "qwen2_5_omni_text", "rope_scaling": MROPE}}},
        tensors=behind("thinker.", decoder(QWEN2, qkv_bias=True)) | vision("thinker.visual.")
        | {"talker.model.norm.weight": (8,), "token2wav.x.weight": (8, 8)}),
    TinyCase("qwen3-vl", whole("Qwen3VLForConditionalGeneration", "qwen3_vl", QWEN3, vision_config={
        "deepstack_visual_indexes": [1, 3]}), tensors=behind("model.language_model.", under(
            "model.", "", decoder(QWEN3, qk_norm="head")), "") | vision("model.visual.")),
    TinyCase("qwen3-vl-few-keys", whole("Qwen3VLForConditionalGeneration", "qwen3_vl", without(
        QWEN3, "rms_norm_eps", "rope_theta", "head_dim") | {"head_dim": 16}), dtype="F16", tensors=behind(
        "model.language_model.", under("model.", "", decoder(QWEN3, qk_norm="head", head=False)))),
    TinyCase("qwen2-audio", whole("Qwen2AudioForConditionalGeneration", "qwen2_audio", QWEN2), tensors=behind(
        LANGUAGE, decoder(QWEN2, qkv_bias=True)) | vision("audio_tower.")),
    TinyCase("dots-ocr", config("DotsOCRForCausalLM", "dots_ocr", vision_config={"a": 1}), tensors=decoder(
        QWEN2, qkv_bias=True) | vision()),
    TinyCase("step3-vl", whole("StepVLForConditionalGeneration", "step_vl", QWEN3 | {
        "architectures": ["Qwen3ForCausalLM"]}), tensors=decoder(QWEN3, qk_norm="head") | vision("model.vision_model.")),
    TinyCase("glm4v", whole("Glm4vForConditionalGeneration", "glm4v", GLM), "gpt-2", files=GLM_TOKENS, tensors=behind(
        "model.language_model.", under("model.", "", joined(GLM, gate_up="gate_up_proj", qkv_bias=True, norms=GLM_NORMS)), "")
        | vision("model.visual.")),
    TinyCase("glm-ocr", whole("GlmOcrForConditionalGeneration", "glm_ocr", GLM | {"num_nextn_predict_layers": 0}), "gpt-2",
             files=GLM_TOKENS, dtype="F32", tensors=behind("model.language_model.", under(
                 "model.", "", joined(GLM, gate_up="gate_up_proj", norms=GLM_NORMS)), "") | vision("model.visual.")),
    TinyCase("paddleocr-vl", config("PaddleOCRVLForConditionalGeneration", "paddleocr_vl", head_dim=16, rope_scaling=MROPE | {
        "type": "default", "rope_type": "default"}), tensors=decoder(BASE) | vision("visual.")
        | {"mlp_AR.linear_1.weight": (8, 8)}),
    TinyCase("llama-bidirectional", TEXT | {"architectures": ["LlamaBidirectionalModel"], "model_type": "llama_bidirec"},
             tensors=decoder(TEXT, head=False, prefix="")),
    TinyCase("nanbeige", TEXT | {"architectures": ["NanbeigeForCausalLM"], "model_type": "nanbeige", "num_loops": 3,
                                 "skip_loop_final_norm": True}, tensors=decoder(TEXT)),
]  # fmt: skip
