"""What encoders and encoder-decoders make of tokens, in llama.cpp's library and in transformers, both on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import libllama

Found = NDArray[np.float64]


def log_softmax(logits: NDArray[np.float32]) -> Found:
    """Log-probabilities, in double precision."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=-1, keepdims=True)
    found: Found = wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True))
    return found


def embeddings_of_llama_cpp(path: Path, tokens: list[int]) -> Found:
    """An embedding of each token: (len(tokens), n_embd)."""
    with libllama.opened(path) as model:
        return model.embeddings(tokens).astype(np.float64)


def embeddings_of_transformers(model: Any, tokens: list[int]) -> Found:
    """An embedding of each token: (len(tokens), n_embd)."""
    import torch

    with torch.no_grad():
        found: Found = model(torch.tensor([tokens])).last_hidden_state[0].double().numpy()
    return found


def translation_of_llama_cpp(path: Path, tokens: list[int], begun: list[int]) -> Found:
    """Log-probabilities after each token of a translation that has begun: (len(begun), n_vocab)."""
    with libllama.opened(path) as model:
        model.encode(tokens)
        return log_softmax(model.logits(begun))


def translation_of_transformers(model: Any, tokens: list[int], begun: list[int]) -> Found:
    """Log-probabilities after each token of a translation that has begun: (len(begun), n_vocab)."""
    import torch

    with torch.no_grad():
        answer = model(input_ids=torch.tensor([tokens]), decoder_input_ids=torch.tensor([begun]))
    return log_softmax(answer.logits[0].numpy())
