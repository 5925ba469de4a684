"""Which tiny case shows that llama.cpp runs an architecture."""

from __future__ import annotations

ENCODERS = frozenset({
    "bert", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llama-embed", "modern-bert", "neo-bert", "nomic-bert",
    "nomic-bert-moe", "t5encoder",
})  # fmt: skip
"""Architectures of which a text's embedding is asked, no tokens."""

DIFFUSION = frozenset({"dream", "llada", "llada-moe", "rnd1"})
"""Architectures whose guesses at all places are asked, which see later tokens too."""

WITHOUT_FLASH_ATTENTION = frozenset({"plm"})
"""Architectures whose graph hands over values in a shape that llama.cpp's cache takes for another with flash attention."""

SOUND = frozenset({"wavtokenizer-dec"})
"""Architectures that make numbers of tokens from which sound is made, and no tokens."""

DRAFTS = {"gemma4-assistant": "gemma4-96-wide"}
"""Architectures that run beside another model alone, for which they draft tokens, and a case of such a model."""

RUNS = {
    "afmoe": "afmoe",
    "apertus": "apertus",
    "arcee": "arcee",
    "arctic": "arctic",
    "arwkv7": "arwkv7-no-gate",
    "baichuan": "baichuan",
    "bailingmoe": "ling",
    "bailingmoe2": "ling2-square",
    "bailingmoe3": "ling3-mtp",
    "bert": "xlm-roberta-model-file",
    "bitnet": "bitnet",
    "bloom": "bloom-bare",
    "chameleon": "chameleon",
    "chatglm": "chatglm",
    "codeshell": "codeshell-head",
    "cohere2": "cohere2",
    "cohere2moe": "cohere2-moe-mtp",
    "command-r": "cohere",
    "dbrx": "dbrx",
    "deci": "deci-7b",
    "deepseek": "deepseek-moe",
    "deepseek2": "kimi-vl",
    "deepseek2-ocr": "deepseek-ocr",
    "deepseek32": "deepseek32-wide-index",
    "dots1": "dots1-all-keys",
    "dots3note": "dots3-wide-index",
    "dream": "dream",
    "ernie4_5": "ernie4.5",
    "ernie4_5-moe": "ernie-moe-wide",
    "eurobert": "jina-v5",
    "exaone": "exaone",
    "exaone-moe": "exaone-moe",
    "exaone4": "exaone4-no-window",
    "falcon": "falcon-one-key",
    "falcon-h1": "falcon-h1-factors",
    "gemma": "gemma",
    "gemma-embedding": "gemma3-embedding-six-layers",
    "gemma2": "gemma2",
    "gemma3": "gemma3",
    "gemma3n": "gemma3n-wide",
    "gemma4": "gemma4",
    "gemma4-assistant": "gemma4-assistant",
    "glm-dsa": "glm-dsa-wide-index",
    "glm4": "glm4-few-keys",
    "glm4moe": "glm4-moe-no-mtp",
    "glm5-next": "glm5-mtp",
    "gpt-oss": "gpt-oss-few-keys",
    "gpt2": "gpt2-bare",
    "gptneox": "gptneox",
    "granite": "granite",
    "granite_swa": "granite-swa",
    "granitehybrid": "granite-hybrid-dense",
    "granitemoe": "granite-moe-few-keys",
    "graniteswitch": "granite-switch",
    "grok": "grok",
    "grovemoe": "grove-moe",
    "hrm_text": "hrm-text",
    "hunyuan-dense": "hunyuan",
    "hunyuan-moe": "hunyuan-moe",
    "hunyuan_vl": "hunyuan-vl",
    "hy_v3": "hy3-mtp",
    "hy_v4": "hy4",
    "internlm2": "internlm2-all-tokens",
    "jais": "jais-mup",
    "jais2": "jais2",
    "jamba": "jamba-no-rank",
    "jina-bert-v2": "jina-bert-v2",
    "jina-bert-v3": "jina-bert-v3",
    "kimi-k3": "kimi-k3",
    "kimi-linear": "kimi-linear",
    "laguna": "laguna",
    "lfm2": "lfm2-both-ways",
    "lfm2moe": "lfm2-moe",
    "llada": "llada",
    "llada-moe": "llada-moe",
    "llama": "internlm3-biases",
    "llama-embed": "llama-bidirectional",
    "llama4": "llama4-interleaved",
    "maincoder": "maincoder",
    "mamba": "mamba-original",
    "mamba2": "mamba2-no-biases",
    "maple": "maple",
    "mellum": "mellum",
    "mimo2": "mimo2-mtp",
    "minicpm": "minicpm",
    "minicpm3": "minicpm3",
    "minimax-01": "minimax-01-eight-layers",
    "minimax-m2": "minimax-m2",
    "minimax-m3": "minimax-m3",
    "mistral3": "mistral3",
    "mistral4": "mistral4",
    "modern-bert": "modern-bert-three-labels",
    "mpt": "mpt-sentencepiece",
    "muse-glimmer": "muse-glimmer",
    "nanbeige": "nanbeige",
    "nemotron": "nemotron-linear-rope",
    "nemotron_h": "nemotron-h-all-tokens",
    "nemotron_h_moe": "nemotron-h-moe-mtp",
    "neo-bert": "neo-bert-three-labels",
    "nomic-bert": "nomic-bert",
    "nomic-bert-moe": "nomic-bert-moe",
    "olmo": "olmo-linear-rope",
    "olmo2": "olmo2",
    "olmoe": "olmoe-all-keys",
    "openelm": "openelm",
    "orion": "orion",
    "paddleocr": "paddleocr-vl",
    "pangu-embedded": "pangu-tied",
    "phi2": "phi2",
    "phi3": "phi3-gpt2-tokenizer",
    "phimoe": "phi-moe",
    "plamo3": "plamo3",
    "plm": "plm-all-keys",
    "qwen": "qwen",
    "qwen2": "internvl-custom",
    "qwen2moe": "qwen2-moe",
    "qwen2vl": "qwen2.5-omni",
    "qwen3": "qwen3",
    "qwen35": "qwen3.5-sections",
    "qwen35moe": "qwen3.5-moe-stacked",
    "qwen3moe": "qwen3-moe-stacked",
    "qwen3next": "qwen3-next-mtp",
    "qwen3vl": "qwen3-vl-four-layers",
    "qwen3vlmoe": "qwen3-vl-moe-four-layers",
    "refact": "refact",
    "rnd1": "rnd1",
    "rwkv6": "rwkv6-f16",
    "rwkv6qwen2": "rwkv6-qwen2",
    "rwkv7": "rwkv7-matrices",
    "seed_oss": "seed-oss",
    "smallthinker": "smallthinker",
    "smollm3": "smollm3",
    "spark2_5": "spark",
    "stablelm": "stablelm",
    "starcoder": "starcoder",
    "starcoder2": "starcoder2",
    "step35": "step37-vision",
    "t5": "t5-gated",
    "t5encoder": "t5-encoder-alone",
    "talkie": "talkie-f16",
    "wavtokenizer-dec": "wavtokenizer-six-layers",
    "xverse": "xverse",
}
"""Cases whose Q8_0 files llama.cpp decodes, or embeds a text with, by GGUF architecture."""

SLOW = {"plamo": "plamo"}
"""The same for what is too large for every test run: PLaMo 1 has but one width, 5120."""

UNRUNNABLE = {
    "cogvlm": "llama.cpp wants the matrices for the places of an image, which its converter leaves out with all whose names "
    "have vision in them",
    "plamo2": "the first layer has no heads, so llama.cpp takes 0 for the rotated dimensions and comes to no end; without "
    "Mamba layers it stops",
}
"""Architectures that llama.cpp runs in no shape that its converter writes, and why."""

ENDLESS = frozenset({"plamo2"})
"""Cases that are not tried, as llama.cpp comes to no end."""

REFUSED = {
    "cohere2-head-dim": "tensor 'blk.0.attn_q.weight' has wrong shape; expected 32, 32, got 32, 64, 1, 1",
    "lfm2-audio-tokenizer": "tensor 'token_embd.weight' not found",
    "qwen2-few-keys": "GGML_ASSERT(ggml_can_mul_mat(k, q))",  # 32 key-value heads by default, beside 4 heads
    "qwen3-few-keys": "wrong number of tensors; expected 33, got 31",
    "smollm3-llama3-rope": "wrong number of tensors; expected 30, got 27",
    "arcee-head-dim": "wrong number of tensors; expected 23, got 19",
    "olmoe": "tensor 'blk.0.attn_k_norm.weight' has wrong shape; expected 32, got 16, 1, 1, 1",
    "starcoder2-few-keys": "tensor 'blk.0.attn_output.bias' not found",
    "olmo3-layer-types": "tensor 'output.weight' not found",
    "cohere-qk-norm": "wrong number of tensors; expected 22, got 18",
    "seed-oss-few-keys": "wrong number of tensors; expected 29, got 27",
    "deepseek3-head-dim": "wrong number of tensors; expected 49, got 47",
    # a window of 0 leaves the scale of attention at 0, which the graph does not accept
    "llama4-full-attention": "GGML_ASSERT(f_attn_temp_scale != 0.0f)",
    "dots1": "tensor 'blk.0.attn_k.weight' has wrong shape; expected 32, 32, got 32, 16, 1, 1",
    "dots1-stacked": "tensor 'blk.0.attn_k.weight' has wrong shape; expected 32, 32, got 32, 16, 1, 1",
    "exaone-moe-layer-types": "tensor 'blk.2.attn_output.weight' not found",
    "ling2": "tensor 'blk.0.attn_qkv.weight' has wrong shape; expected 32, 96, got 32, 128, 1, 1",
    "ling2-mtp": "tensor 'blk.0.attn_qkv.weight' has wrong shape; expected 32, 96, got 32, 128, 1, 1",
    "sarvam": "tensor 'blk.0.attn_qkv.weight' has wrong shape; expected 32, 96, got 32, 128, 1, 1",
    "glm-dsa": "GGML_ASSERT(ggml_can_mul_mat(a, b))",  # an indexer narrower than the 64 by which it is rotated
    "deepseek32": "GGML_ASSERT(ggml_can_mul_mat(a, b))",  # an indexer narrower than the 64 by which it is rotated
    "qwen3-vl-moe": "GGML_ASSERT(ggml_can_repeat(b, a))",  # as many layers as images are fed into
    "ernie-moe": "tensor 'blk.1.ffn_gate_shexp.weight' has wrong shape; expected 64, 48, got 64, 64, 1, 1",
    "granite-moe-swa": "tensor 'blk.0.ffn_gate_inp.weight' not found",
    "falcon-mamba-f16": "tensor 'token_embd.weight' has wrong shape; expected 64, 2048, got 64, 2041, 1, 1",
    "mamba2-codestral": "wrong number of tensors; expected 25, got 21",
    "falcon-h1-f16": "GGML_ASSERT(n_ctx > 0 && n_prompt_tokens > 0)",  # a context length of 0
    "bamba": "tensor 'token_embd.weight' has wrong shape; expected 32, 50264, got 32, 50261, 1, 1",
    "qwen3.5-vision-mtp": "GGML_ASSERT(sect_dims <= ne0)",  # rope sections wider than the head
    "nemotron-h": "tensor 'token_embd.weight' has wrong shape; expected 32, 50264, got 32, 50261, 1, 1",
    "gemma3-embedding": "GGML_ASSERT(buffer)",  # no layer without a window among two
    "internlm2": "tensor 'token_embd.weight' has wrong shape; expected 64, 2049, got 64, 2048, 1, 1",
    "internlm2-all-keys": "tensor 'output.weight' not found",
    "hunyuan-tied": "wrong number of tensors; expected 32, got 30",
    "gptneox-serial": "tensor 'output.weight' not found",
    "starcoder-many-keys": "tensor 'blk.0.attn_qkv.weight' has wrong shape; expected 32, 48, got 32, 96, 1, 1",
    "codeshell": "tensor 'output.weight' not found",
    "mpt-biases": "GGML_ASSERT(ggml_is_contiguous(a))",  # norms of joined queries and keys
    "plm": "GGML_ASSERT(a->ne[0] == b->ne[0])",  # fewer key-value heads than heads
    "deci-blocks": "GGML_ASSERT(buffer)",  # a layer without attention
    "qwen3-vl": "GGML_ASSERT(ggml_can_repeat(b, a))",  # as many layers as images are fed into
    "qwen3-vl-few-keys": "GGML_ASSERT(ggml_can_repeat(b, a))",  # as many layers as images are fed into
    "bert-dummy-labels": "tensor 'cls.weight' has wrong shape; expected 32, 32, got 32, 2, 1, 1",
    "modern-bert-few-keys": "wrong number of tensors; expected 27, got 14",
    "cogvlm-all-keys": "tensor 'blk.0.vis_attn_qkv.weight' not found",
    "cogvlm": "tensor 'blk.0.attn_qkv.weight' has wrong shape; expected 64, 192, got 64, 128, 1, 1",
    "dots3-vision": "GGML_ASSERT(ggml_can_mul_mat(a, b))",  # an indexer narrower than the 64 by which it is rotated
    "dots3-mtp": "wrong number of tensors; expected 68, got 60",  # experts in the layer that predicts
    "gemma3n": "tensor 'per_layer_token_embd.weight' has wrong shape; expected 768, 2048, got 96, 2048, 1, 1",
    "gemma3n-few-keys": "tensor 'per_layer_token_embd.weight' has wrong shape; expected 768, 2048, got 96, 2048, 1, 1",
    "minimax-m1": "tensor 'blk.1.attn_norm_2.weight' not found",
    "minimax-01": "tensor 'blk.1.attn_norm_2.weight' not found",
    "wavtokenizer": "tensor 'posnet.1.norm1.weight' not found",
}
"""All tiny cases whose shapes llama.cpp does not take, and a part of what it says: they are shaped to reach rules."""
