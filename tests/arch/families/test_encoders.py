"""Encoders and encoder-decoders at which the reference fails, and configs that no rule fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ggufpress import plan, quantize
from ggufpress.errors import ConfigError, MappingError
from ggufpress.gguf.reader import read_gguf
from tests.tiny.decoders import linear, norm
from tests.tiny.encoders import (
    BERT,
    DISTILBERT,
    MODERN_BERT,
    N_EMBD,
    NOMIC,
    T5,
    XLM,
    bert,
    distilbert,
    modern_bert,
    nomic,
    t5,
)
from tests.tiny_checkpoints import TinyCase, make, without


def converted(case: TinyCase, tmp_path: Path) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """Keys and shapes of the F16 file."""
    (file,) = quantize(make(case, tmp_path / "source"), ["F16"], output=tmp_path, layout="convert", threads=1).files
    gguf = read_gguf(file.path)
    return {key: value.data for key, value in gguf.metadata.items()}, {t.name: t.shape for t in gguf.tensors}


CLASSIFIER = TinyCase(
    "distilbert-sst2", DISTILBERT | {"architectures": ["DistilBertForSequenceClassification"]}, "bert",
    tensors=distilbert("distilbert.") | linear("pre_classifier", N_EMBD, N_EMBD, True) | linear("classifier", 2, N_EMBD, True),
)  # fmt: skip


def test_a_distilbert_classifier_with_dummy_labels(tmp_path: Path) -> None:
    keys, shapes = converted(CLASSIFIER, tmp_path)
    assert keys["bert.classifier.output_labels"] == ("LABEL_0", "LABEL_1")
    assert (shapes["cls.weight"], shapes["cls.output.weight"]) == ((N_EMBD, N_EMBD), (2, N_EMBD))


def test_a_modernbert_classifier_with_dummy_labels(tmp_path: Path) -> None:
    heads = linear("head.dense", N_EMBD, N_EMBD) | norm("head.norm", N_EMBD) | linear("classifier", 2, N_EMBD, True)
    config = MODERN_BERT | {"architectures": ["ModernBertForSequenceClassification"]}
    keys, shapes = converted(TinyCase("m", config, "gpt-2", tensors=modern_bert("model.") | heads), tmp_path)
    assert keys["modern-bert.classifier.output_labels"] == ("LABEL_0", "LABEL_1")
    assert shapes["cls.output.weight"] == (2, N_EMBD)
    assert shapes["cls.norm.weight"] == (N_EMBD,)


def test_camembert_is_an_xlm_roberta(tmp_path: Path) -> None:
    config = XLM | {"architectures": ["CamembertModel"], "model_type": "camembert"}
    keys, shapes = converted(TinyCase("c", config, "xlm-roberta-json", tensors=bert(XLM, types=1)), tmp_path)
    assert keys["tokenizer.ggml.model"] == "t5"
    assert (keys["bert.context_length"], shapes["position_embd.weight"]) == (38, (38, N_EMBD))


def test_a_decoder_that_the_config_does_not_start_starts_with_padding(tmp_path: Path) -> None:
    config = without(T5, "decoder_start_token_id") | {"pad_token_id": 3}
    keys, _ = converted(TinyCase("t", config, "t5", tensors=t5()), tmp_path)
    assert keys["t5.decoder_start_token_id"] == 3


def test_a_decoder_may_have_more_layers_than_the_encoder(tmp_path: Path) -> None:
    keys, shapes = converted(TinyCase("t", T5 | {"num_decoder_layers": 3}, "t5", tensors=t5(decoder=3)), tmp_path)
    assert (keys["t5.block_count"], keys["t5.decoder_block_count"]) == (2, 3)
    assert "dec.blk.2.cross_attn_q.weight" in shapes


def test_of_two_copies_of_an_embedding_one_is_left_out(tmp_path: Path) -> None:
    folder = make(TinyCase("t", T5, "t5", tensors=t5(embeddings="shared decoder.embed_tokens")), tmp_path)
    dropped = plan(folder).model.dropped
    assert dropped == (("shared.weight", "decoder.embed_tokens.weight is the same tensor"),)


def test_a_feed_forward_of_neither_kind(tmp_path: Path) -> None:
    tensors = {
        name: shape
        for name, shape in t5().items()
        if not name.endswith("encoder.block.1.layer.1.DenseReluDense.wi_1.weight")
    }
    with pytest.raises(MappingError, match=r"enc\.blk\.1\.ffn_up\.weight is made by none of"):
        plan(make(TinyCase("t", T5, "t5", tensors=tensors), tmp_path))


def test_two_names_for_one_tensor(tmp_path: Path) -> None:
    tensors = bert(BERT) | {"bert.embeddings.LayerNorm.gamma": (N_EMBD,)}
    with pytest.raises(MappingError, match=r"both stand for embeddings\.LayerNorm\.weight"):
        plan(make(TinyCase("b", BERT, "bert", tensors=tensors), tmp_path))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (NOMIC | {"causal": True}, "causal is True, False, which llama.cpp computes, was expected"),
        (without(NOMIC, "prenorm"), "prenorm is missing"),
        (NOMIC | {"n_positions": 4096}, "n_positions is 4096"),
    ],
)
def test_nomic_models_that_llama_cpp_has_not(config: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(make(TinyCase("n", config, "bert", tensors=nomic(NOMIC)), tmp_path))


def test_labels_of_a_classifier_that_has_none(tmp_path: Path) -> None:
    keys, _ = converted(replace(CLASSIFIER, config=DISTILBERT, tensors=distilbert()), tmp_path)
    assert "bert.classifier.output_labels" not in keys
