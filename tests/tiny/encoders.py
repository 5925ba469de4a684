"""Tiny checkpoints of encoders and encoder-decoders: names, heads, labels, vocabularies."""

from __future__ import annotations

from typing import Any

from tests.tiny.base import POOLED
from tests.tiny.decoders import Shapes, feed_forward, linear, norm
from tests.tiny_checkpoints import TinyCase, without

N_EMBD, N_FF, N_LAYER = 32, 48, 2
BERT: dict[str, Any] = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 40, "vocab_size": 30522,
    "type_vocab_size": 2, "layer_norm_eps": 1e-6, "pad_token_id": 0,
}  # fmt: skip
ROBERTA = BERT | {"architectures": ["RobertaModel"], "model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1,
                  "bos_token_id": 0, "eos_token_id": 2, "vocab_size": 50304}  # fmt: skip
XLM = ROBERTA | {"architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta", "vocab_size": 704}
DISTILBERT: dict[str, Any] = {
    "architectures": ["DistilBertModel"], "model_type": "distilbert", "dim": 32, "hidden_dim": 48, "n_layers": 2,
    "n_heads": 4, "max_position_embeddings": 40, "vocab_size": 30522, "pad_token_id": 0,
}  # fmt: skip
MODERN_BERT: dict[str, Any] = {
    "architectures": ["ModernBertModel"], "model_type": "modernbert", "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512, "vocab_size": 50304,
    "local_attention": 64, "global_attn_every_n_layers": 2, "layer_norm_eps": 1e-5, "bos_token_id": 50256, "eos_token_id": 50256,
    "pad_token_id": 50256, "cls_token_id": 50256, "sep_token_id": 50256,
}  # fmt: skip
T5: dict[str, Any] = {
    "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_model": 32, "d_kv": 8, "d_ff": 48,
    "num_layers": 2, "num_heads": 4, "relative_attention_num_buckets": 8, "vocab_size": 720, "decoder_start_token_id": 0,
    "feed_forward_proj": "gated-gelu", "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
JINA_V2 = BERT | {"architectures": ["JinaBertModel"], "position_embedding_type": "alibi", "feed_forward_type": "geglu"}
JINA_V3 = XLM | {"lora_adaptations": ["retrieval.query", "text-matching"], "rotary_emb_base": 20000.0, "lora_alpha": 1}
NEO_BERT: dict[str, Any] = {
    "architectures": ["NeoBERT"], "model_type": "neobert", "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 4, "max_length": 64, "vocab_size": 30522, "pad_token_id": 0,
}  # fmt: skip
EURO_BERT: dict[str, Any] = {
    "architectures": ["EuroBertModel"], "model_type": "eurobert", "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 64,
    "vocab_size": 50304, "rms_norm_eps": 1e-5, "rope_theta": 250000.0, "pad_token_id": 50256,
}  # fmt: skip
NOMIC: dict[str, Any] = {
    "architectures": ["NomicBertModel"], "model_type": "nomic_bert", "n_embd": 32, "n_layer": 4, "n_head": 4, "n_inner": 48,
    "n_positions": 8192, "max_trained_positions": 2048, "activation_function": "swiglu", "causal": False,
    "qkv_proj_bias": False, "mlp_fc1_bias": False, "mlp_fc2_bias": False, "prenorm": False, "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False, "rotary_emb_scale_base": None, "rotary_emb_base": 1000, "layer_norm_epsilon": 1e-12,
    "vocab_size": 30528, "type_vocab_size": 2,
}  # fmt: skip
NOMIC_MOE = NOMIC | {"n_positions": 2048, "activation_function": "gelu", "qkv_proj_bias": True, "mlp_fc1_bias": True,
                     "mlp_fc2_bias": True, "moe_every_n_layers": 2, "num_experts": 4, "moe_top_k": 2, "vocab_size": 704,
                     "type_vocab_size": 1, "pad_token_id": 1}  # fmt: skip
LABELS = {str(i): label for i, label in enumerate(("bad", "good", "neither"))}
MEAN = POOLED | {"1_Pooling/config.json": {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}}
CLS = POOLED | {"1_Pooling/config.json": {"pooling_mode": "cls"}}


def bert(
    config: dict[str, Any], prefix: str = "", *, pooler: bool = True, types: int = 2, old_names: bool = False
) -> Shapes:
    """BERT and what has its names."""
    found: Shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], N_EMBD),
        "embeddings.position_embeddings.weight": (config.get("max_position_embeddings", 512), N_EMBD),
        "embeddings.token_type_embeddings.weight": (types, N_EMBD),
    } | norm("embeddings.LayerNorm", N_EMBD, True)
    for i in range(N_LAYER):
        hf = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            found |= linear(f"{hf}.attention.{part}", N_EMBD, N_EMBD, True)
        found |= norm(f"{hf}.attention.output.LayerNorm", N_EMBD, True)
        found |= linear(f"{hf}.intermediate.dense", N_FF, N_EMBD, True) | linear(
            f"{hf}.output.dense", N_EMBD, N_FF, True
        )
        found |= norm(f"{hf}.output.LayerNorm", N_EMBD, True)
    if pooler:
        found |= linear("pooler.dense", N_EMBD, N_EMBD, True)
    if old_names:
        found = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): shape
            for name, shape in found.items()
        }
    return {prefix + name: shape for name, shape in found.items()}


def mask_head(n_vocab: int) -> Shapes:
    """BERT's head of pre-training."""
    found = linear("cls.predictions.transform.dense", N_EMBD, N_EMBD, True) | linear(
        "cls.seq_relationship", 2, N_EMBD, True
    )
    return found | norm("cls.predictions.transform.LayerNorm", N_EMBD, True) | {"cls.predictions.bias": (n_vocab,)}


def distilbert(prefix: str = "") -> Shapes:
    """DistilBERT."""
    found = linear("embeddings.word_embeddings", 30522, N_EMBD) | linear("embeddings.position_embeddings", 40, N_EMBD)
    found |= norm("embeddings.LayerNorm", N_EMBD, True)
    for i in range(N_LAYER):
        hf = f"transformer.layer.{i}"
        for part in ("q_lin", "k_lin", "v_lin", "out_lin"):
            found |= linear(f"{hf}.attention.{part}", N_EMBD, N_EMBD, True)
        found |= norm(f"{hf}.sa_layer_norm", N_EMBD, True) | norm(f"{hf}.output_layer_norm", N_EMBD, True)
        found |= linear(f"{hf}.ffn.lin1", N_FF, N_EMBD, True) | linear(f"{hf}.ffn.lin2", N_EMBD, N_FF, True)
    return {prefix + name: shape for name, shape in found.items()}


def modern_bert(prefix: str = "", *, bias: bool = False) -> Shapes:
    """ModernBERT."""
    found: Shapes = {"embeddings.tok_embeddings.weight": (50304, N_EMBD)} | norm("embeddings.norm", N_EMBD, bias)
    for i in range(N_LAYER):
        hf = f"layers.{i}"
        found |= norm(f"{hf}.attn_norm", N_EMBD, bias) if i else {}
        found |= linear(f"{hf}.attn.Wqkv", 3 * N_EMBD, N_EMBD, bias) | linear(f"{hf}.attn.Wo", N_EMBD, N_EMBD, bias)
        found |= norm(f"{hf}.mlp_norm", N_EMBD, bias)
        found |= linear(f"{hf}.mlp.Wi", 2 * N_FF, N_EMBD, bias) | linear(f"{hf}.mlp.Wo", N_EMBD, N_FF, bias)
    return {prefix + name: shape for name, shape in (found | norm("final_norm", N_EMBD, bias)).items()}


def jina_v2(config: dict[str, Any], *, code: bool = False) -> Shapes:
    """The second generation of Jina's embedding models; `code` has other names and norms of queries and keys."""
    found = without(bert(config, pooler=False), "embeddings.position_embeddings.weight")
    kept = {
        name: shape
        for name, shape in found.items()
        if "intermediate" not in name and ".output." not in name.replace("attention.output", "attention_output")
    }
    for i in range(N_LAYER):
        hf = f"encoder.layer.{i}"
        if code:
            for part in ("layer_norm_1", "layer_norm_2", "attention.self.layer_norm_q", "attention.self.layer_norm_k"):
                kept |= norm(f"{hf}.{part}", N_EMBD, True)
            kept |= linear(f"{hf}.mlp.up_gated_layer", 2 * N_FF, N_EMBD) | linear(
                f"{hf}.mlp.down_layer", N_EMBD, N_FF, True
            )
        else:
            kept |= linear(f"{hf}.mlp.gated_layers", 2 * N_FF, N_EMBD) | linear(f"{hf}.mlp.wo", N_EMBD, N_FF, True)
            kept |= norm(f"{hf}.mlp.layernorm", N_EMBD, True)
    return kept


def jina_v3(n_vocab: int) -> Shapes:
    """The third generation of Jina's embedding models, with two adapters."""
    matrices = {"embeddings.word_embeddings": (n_vocab, N_EMBD), "embeddings.token_type_embeddings": (1, N_EMBD)}
    found: Shapes = norm("roberta.emb_ln", N_EMBD, True)
    for i in range(N_LAYER):
        hf = f"encoder.layers.{i}"
        matrices |= {f"{hf}.mixer.Wqkv": (3 * N_EMBD, N_EMBD), f"{hf}.mixer.out_proj": (N_EMBD, N_EMBD),
                     f"{hf}.mlp.fc1": (N_FF, N_EMBD), f"{hf}.mlp.fc2": (N_EMBD, N_FF)}  # fmt: skip
        found |= norm(f"roberta.{hf}.norm1", N_EMBD, True) | norm(f"roberta.{hf}.norm2", N_EMBD, True)
    for name, (rows, cols) in matrices.items():
        found[f"roberta.{name}.parametrizations.weight.original"] = (rows, cols)
        found[f"roberta.{name}.parametrizations.weight.0.lora_A"] = (2, 4, cols)
        found[f"roberta.{name}.parametrizations.weight.0.lora_B"] = (2, rows, 4)
        if ".layers." in name:
            found[f"roberta.{name}.bias"] = (rows,)
    return found


def nomic(config: dict[str, Any], prefix: str = "", experts: int = 0) -> Shapes:
    """Nomic's embedding models: gated, or plain with experts in every other layer."""
    found = linear("embeddings.word_embeddings", config["vocab_size"], N_EMBD)
    found |= linear("embeddings.token_type_embeddings", config["type_vocab_size"], N_EMBD) | norm(
        "emb_ln", N_EMBD, True
    )
    for i in range(config["n_layer"]):
        hf = f"encoder.layers.{i}"
        bias = experts > 0
        found |= linear(f"{hf}.attn.Wqkv", 3 * N_EMBD, N_EMBD, bias) | linear(
            f"{hf}.attn.out_proj", N_EMBD, N_EMBD, bias
        )
        found |= norm(f"{hf}.norm1", N_EMBD, True) | norm(f"{hf}.norm2", N_EMBD, True)
        if not experts:
            found |= feed_forward(f"{hf}.mlp", N_EMBD, N_FF, "fc11 fc12 fc2")
        elif i % 2 == 1:
            found |= linear(f"{hf}.mlp.router.layer", experts, N_EMBD)
            for part in ("w1", "w2"):
                found[f"{hf}.mlp.experts.mlp.{part}"] = (experts * N_FF, N_EMBD)
            found[f"{hf}.mlp.experts.bias"] = (N_EMBD,)
        else:
            found |= linear(f"{hf}.mlp.fc1", N_FF, N_EMBD, True) | linear(f"{hf}.mlp.fc2", N_EMBD, N_FF, True)
    return {prefix + name: shape for name, shape in found.items()}


def neo_bert(prefix: str = "model.") -> Shapes:
    """NeoBERT."""
    n_ff = 2 * N_FF // 3
    found = linear("encoder", 30522, N_EMBD)
    for i in range(N_LAYER):
        hf = f"transformer_encoder.{i}"
        found |= linear(f"{hf}.qkv", 3 * N_EMBD, N_EMBD) | linear(f"{hf}.wo", N_EMBD, N_EMBD)
        found |= norm(f"{hf}.attention_norm", N_EMBD) | norm(f"{hf}.ffn_norm", N_EMBD)
        found |= linear(f"{hf}.ffn.w12", 2 * n_ff, N_EMBD) | linear(f"{hf}.ffn.w3", N_EMBD, n_ff)
    return {prefix + name: shape for name, shape in (found | norm("layer_norm", N_EMBD)).items()}


def euro_bert(prefix: str = "") -> Shapes:
    """EuroBERT."""
    found = linear("embed_tokens", 50304, N_EMBD)
    for i in range(N_LAYER):
        for part in "qkvo":
            found |= linear(f"layers.{i}.self_attn.{part}_proj", N_EMBD, N_EMBD)
        found |= norm(f"layers.{i}.input_layernorm", N_EMBD) | norm(f"layers.{i}.post_attention_layernorm", N_EMBD)
        found |= feed_forward(f"layers.{i}.mlp", N_EMBD, N_FF, "gate_proj up_proj down_proj")
    return {prefix + name: shape for name, shape in (found | norm("norm", N_EMBD)).items()}


def t5(
    *,
    embeddings: str = "shared",
    head: bool = True,
    gated: bool = True,
    decoder: int = 2,
    bias_everywhere: bool = False,
) -> Shapes:
    """T5; `embeddings` names the copies of the token embedding."""
    found: Shapes = {}
    for name in embeddings.split():
        found[f"{name}.weight"] = (720, N_EMBD)
    for side, n_layer in (("encoder", N_LAYER), ("decoder", decoder)):
        for i in range(n_layer):
            hf = f"{side}.block.{i}.layer"
            attention = ["0.SelfAttention"] + (["1.EncDecAttention"] if side == "decoder" else [])
            for part in attention:
                for letter in "qkvo":
                    found |= linear(f"{hf}.{part}.{letter}", N_EMBD, N_EMBD)
            if i == 0 or bias_everywhere:
                found |= linear(f"{hf}.0.SelfAttention.relative_attention_bias", 8, 4)
            for n in range(len(attention) + 1):
                found |= norm(f"{hf}.{n}.layer_norm", N_EMBD)
            names = "wi_0 wi_1 wo" if gated else "wi wo"
            found |= feed_forward(f"{hf}.{len(attention)}.DenseReluDense", N_EMBD, N_FF, names)
        if n_layer:
            found |= norm(f"{side}.final_layer_norm", N_EMBD)
    return found | (linear("lm_head", 720, N_EMBD) if head else {})


CASES = [
    TinyCase("bert-pooled", BERT, "bert", dtype="F32", files=MEAN, tensors=bert(BERT)),
    TinyCase("bert-old-names", BERT | {"architectures": ["BertForMaskedLM"]}, "bert", dtype="F16",
             tensors=bert(BERT, "bert.", old_names=True) | mask_head(30522)),
    TinyCase("bert-three-labels", BERT | {"architectures": ["BertForSequenceClassification"], "id2label": LABELS}, "bert",
             tensors=bert(BERT, "bert.") | linear("classifier", 3, N_EMBD, True)),
    TinyCase("bert-dummy-labels", BERT | {"architectures": ["BertForSequenceClassification"]}, "bert",
             tensors=bert(BERT, "bert.") | linear("classifier", 2, N_EMBD, True)),
    TinyCase("bert-few-keys", without(BERT, "type_vocab_size", "layer_norm_eps", "max_position_embeddings", "pad_token_id"),
             "bert", files=CLS, tensors=bert(without(BERT, "max_position_embeddings"), pooler=False)),
    TinyCase("bert-unknown-type", BERT | {"model_type": "bert-of-mine", "id2label": {str(i): f"L{i}" for i in range(12)},
                                          "architectures": ["BertForSequenceClassification"]}, "bert",
             tensors=bert(BERT, "bert.") | linear("classifier", 12, N_EMBD, True)),
    TinyCase("distilbert-masked", DISTILBERT | {"architectures": ["DistilBertForMaskedLM"]}, "bert", dtype="F32", tensors=(
        distilbert("distilbert.") | linear("vocab_transform", N_EMBD, N_EMBD, True)
        | norm("vocab_layer_norm", N_EMBD, True) | {"vocab_projector.bias": (30522,)})),
    TinyCase("distilbert-labels", DISTILBERT | {"architectures": ["DistilBertForSequenceClassification"],
                                                "id2label": {"0": "NEGATIVE", "1": "POSITIVE"}}, "bert", tensors=(
        distilbert("distilbert.") | linear("pre_classifier", N_EMBD, N_EMBD, True) | linear("classifier", 2, N_EMBD, True))),
    TinyCase("roberta-three-labels", ROBERTA | {"architectures": ["RobertaForSequenceClassification"], "id2label": LABELS},
             "gpt-2", tensors=(bert(ROBERTA, "roberta.", types=1, pooler=False)
                               | linear("classifier.dense", N_EMBD, N_EMBD, True)
                               | linear("classifier.out_proj", 3, N_EMBD, True))),
    TinyCase("roberta-few-keys", without(ROBERTA, "pad_token_id", "type_vocab_size", "layer_norm_eps"), "gpt-2",
             dtype="F16", files=MEAN, tensors=bert(ROBERTA)),
    TinyCase("xlm-roberta-model-file", XLM, "xlm-roberta", dtype="F16", files=CLS, tensors=bert(XLM, types=1)),
    TinyCase("xlm-roberta-json", XLM | {"architectures": ["XLMRobertaForSequenceClassification"], "id2label": {"0": "LABEL_0"}},
             "xlm-roberta-json", tensors=(bert(XLM, "roberta.", types=1, pooler=False)
                                          | linear("classifier.dense", N_EMBD, N_EMBD, True)
                                          | linear("classifier.out_proj", 1, N_EMBD, True))),
    TinyCase("jina-bert-v2", JINA_V2, "bert", dtype="F16", files=MEAN | {"tokenizer_config.json": {
        "tokenizer_class": "BertTokenizer", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}},
             tensors=jina_v2(BERT)),
    TinyCase("jina-bert-v2-code", JINA_V2 | {"architectures": ["JinaBertForMaskedLM"], "vocab_size": 50304}, "gpt-2",
             files={"tokenizer_config.json": {"tokenizer_class": "RobertaTokenizer", "bos_token": "<|endoftext|>",
                                              "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
                                              "sep_token": "<|endoftext|>", "cls_token": "<|endoftext|>",
                                              "pad_token": "<|endoftext|>", "mask_token": "<|endoftext|>"}},
             tensors=jina_v2(JINA_V2 | {"vocab_size": 50304}, code=True)),
    TinyCase("jina-bert-v3", JINA_V3, "xlm-roberta-json", tensors=jina_v3(704)),
    TinyCase("modern-bert-few-keys", without(MODERN_BERT, "local_attention", "global_attn_every_n_layers")
             | {"classifier_pooling": "mean", "hidden_activation": "silu", "norm_bias": True}, "gpt-2", files=MEAN,
             tensors=modern_bert(bias=True)),
    TinyCase("modern-bert-three-labels", MODERN_BERT | {"architectures": ["ModernBertForSequenceClassification"],
                                                        "id2label": LABELS}, "gpt-2", dtype="F16", tensors=(
        modern_bert("model.") | linear("head.dense", N_EMBD, N_EMBD) | norm("head.norm", N_EMBD)
        | linear("classifier", 3, N_EMBD, True))),
    TinyCase("neo-bert", NEO_BERT | {"architectures": ["NeoBERTLMHead"]}, "bert", dtype="F32", files=MEAN,
             tensors=neo_bert() | linear("decoder", 30522, N_EMBD, True)),
    TinyCase("neo-bert-three-labels", NEO_BERT | {"architectures": ["NeoBERTForSequenceClassification"], "id2label": LABELS,
                                                  "norm_eps": 1e-5}, "bert", tensors=(
        neo_bert() | linear("dense", N_EMBD, N_EMBD, True) | linear("classifier", 3, N_EMBD, True))),
    TinyCase("euro-bert", EURO_BERT, "gpt-2", files=MEAN, tensors=euro_bert()),
    TinyCase("jina-v5", EURO_BERT | {"architectures": ["JinaEmbeddingsV5Model"], "rope_scaling": {
        "rope_type": "linear", "factor": 2.0}}, "gpt-2", dtype="F32", tensors=euro_bert("model.")),
    TinyCase("nomic-bert", NOMIC, "bert", dtype="F16", files=MEAN, tensors=nomic(NOMIC, "bert.")),
    TinyCase("nomic-bert-moe", NOMIC_MOE, "xlm-roberta-json", files=MEAN, tensors=nomic(NOMIC_MOE, experts=4)),
    TinyCase("t5-gated", T5 | {"n_positions": 64}, "t5", dtype="F32", tensors=t5()),
    TinyCase("t5-plain-tied", T5 | {"architectures": ["T5WithLMHeadModel"], "feed_forward_proj": "relu",
                                    "num_decoder_layers": 1}, "t5", files={"added_tokens.json": {"<turn>": 700, "<far>": 999}},
             tensors=t5(embeddings="encoder.embed_tokens decoder.embed_tokens", head=False, gated=False, decoder=1)),
    TinyCase("mt5-few-keys", without(T5, "decoder_start_token_id", "feed_forward_proj")
             | {"architectures": ["MT5ForConditionalGeneration"], "model_type": "mt5"}, "t5", dtype="F16",
             tensors=t5(embeddings="shared encoder.embed_tokens")),
    TinyCase("umt5", T5 | {"architectures": ["UMT5Model"], "model_type": "umt5"}, "t5",
             tensors=t5(bias_everywhere=True, head=False)),
    TinyCase("t5-encoder-alone", without(T5, "decoder_start_token_id") | {"architectures": ["T5EncoderModel"]}, "t5",
             dtype="F16", tensors=t5(decoder=0, head=False)),
]  # fmt: skip
