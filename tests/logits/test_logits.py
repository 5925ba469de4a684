"""Log-probabilities of our F32 files run by llama.cpp beside those of transformers, both on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xllamacpp
from numpy.typing import NDArray

from ggufpress import quantize
from tests.logits import encoders
from tests.logits.cases import CASES, LogitsCase
from tests.logits.checkpoint import make_model

AUTO_CLASSES = {"continue": "AutoModelForCausalLM", "translate": "AutoModelForSeq2SeqLM", "embed": "AutoModel"}

SPOKEN = 1000
"""The token that is then chosen: with the end, or half of a character, the server tells no probabilities."""

LENGTHS = (1, 9, 40)
"""Prompts: one token, a few, and more than the sliding windows of the cases."""

PROMPT: list[int] = np.random.default_rng(7).integers(3, 2000, max(LENGTHS)).tolist()


def of_llama_cpp(path: Path, prompt: list[int], n_vocab: int) -> NDArray[np.float64]:
    """Log-probabilities of all tokens after each of LENGTHS of the prompt: (len(LENGTHS), n_vocab)."""
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = -1
    params.cpuparams.n_threads = 2
    # the cache of keys and values is F16 otherwise
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(params)
    found = np.full((len(LENGTHS), n_vocab), np.nan)
    for row, length in zip(found, LENGTHS, strict=True):
        answer = server.handle_completions(
            {
                "prompt": prompt[:length],
                "n_predict": 1,
                "logprobs": n_vocab,
                "cache_prompt": False,
                "logit_bias": [[SPOKEN, 1e6]],
            }
        )
        for token in answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            row[token["id"]] = token["logprob"]
    return found


def of_transformers(model: Any, prompt: list[int]) -> NDArray[np.float64]:
    """Log-probabilities of all tokens after each of LENGTHS of the prompt: (len(LENGTHS), n_vocab)."""
    import torch

    with torch.no_grad():
        rows = [model(torch.tensor([prompt[:length]]), use_cache=False).logits[0, -1] for length in LENGTHS]
        found: NDArray[np.float64] = torch.log_softmax(torch.stack(rows).double(), dim=-1).numpy()
    return found


def difference(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """The largest difference of log-probabilities, as a part of their standard deviation."""
    return float((np.abs(found - wanted) / wanted.std(axis=1, keepdims=True)).max())


def measured(case: LogitsCase, folder: Path) -> float:
    """The difference between the two for a case."""
    model = make_model(case.tiny, case.changes, folder / "source", AUTO_CLASSES[case.task])
    (file,) = quantize(folder / "source", ["F32"], output=folder).files
    if case.task == "embed":
        few = [3 + token % 700 for token in PROMPT]
        return difference(
            encoders.embeddings_of_llama_cpp(file.path, few), encoders.embeddings_of_transformers(model, few)
        )
    if case.task == "translate":
        few, begun = [3 + token % 600 for token in PROMPT], [0, *range(5, 15)]
        return difference(
            encoders.translation_of_llama_cpp(file.path, few, begun),
            encoders.translation_of_transformers(model, few, begun),
        )
    n_vocab = model.get_output_embeddings().weight.shape[0]
    return difference(of_llama_cpp(file.path, PROMPT, n_vocab), of_transformers(model, PROMPT))


@pytest.mark.logits
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_llama_cpp_gives_the_probabilities_of_transformers(case: LogitsCase, tmp_path: Path) -> None:
    assert measured(case, tmp_path) < case.tolerance


@pytest.mark.logits
@pytest.mark.filterwarnings("default")
def test_a_wrong_rotation_would_be_seen(tmp_path: Path) -> None:
    right = CASES[0]
    model = make_model(right.tiny, right.changes, tmp_path / "source")
    config = tmp_path / "source" / "config.json"
    config.write_text(config.read_text().replace("{", '{"rope_theta": 9000.0, ', 1))
    (file,) = quantize(tmp_path / "source", ["F32"], output=tmp_path).files
    n_vocab = model.get_output_embeddings().weight.shape[0]
    assert difference(of_llama_cpp(file.path, PROMPT, n_vocab), of_transformers(model, PROMPT)) > 10 * right.tolerance
