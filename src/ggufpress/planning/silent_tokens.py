"""Tokens that a model never learned: rows of zeros in its embedding, behind those of the tokenizer's own tokens.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/minimax.py (`_get_suppress_tokens`).
"""

from __future__ import annotations

import numpy as np

from ggufpress.arch.source_names import rule_names
from ggufpress.arch.spec import SILENT_TOKENS, Arch
from ggufpress.gguf.values import Value, ValueType, array
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.reading import TensorReader
from ggufpress.vocab.fast_tokenizer import load_fast_tokenizer
from ggufpress.vocab.tokenizer_files import TokenizerFiles


def with_silent_tokens(checkpoint: Checkpoint, arch: Arch) -> tuple[tuple[str, Value], ...]:
    """`arch.metadata` with the ids of such tokens at their key, or without that key where there are none."""
    if arch.silent is None:
        return arch.metadata
    ids = _zero_rows(checkpoint, arch, arch.silent)
    return tuple(
        (key, array(ValueType.INT32, ids) if key == SILENT_TOKENS else value)
        for key, value in arch.metadata
        if ids or key != SILENT_TOKENS
    )


def _zero_rows(checkpoint: Checkpoint, arch: Arch, name: str) -> list[int]:
    ref = rule_names(checkpoint, arch)[name]
    tokenizer = load_fast_tokenizer(TokenizerFiles(checkpoint))
    first, row_bytes = tokenizer.backend.get_vocab_size(with_added_tokens=False), ref.nbytes // ref.shape[0]
    numbers = {"F32": np.float32, "F16": np.float16}.get(ref.dtype, np.uint16)
    row = bytearray(row_bytes)
    ids = []
    with TensorReader() as reader:
        for token_id in range(first, ref.shape[0]):
            reader.read_into(ref, token_id * row_bytes, memoryview(row))
            weights = np.frombuffer(row, numbers)
            # of BF16 all bits but the sign
            if not (np.left_shift(weights, 1) if weights.dtype == np.uint16 else weights).any():
                ids.append(token_id)
    return ids
