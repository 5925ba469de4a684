"""Llama 2's vocabulary, for checkpoints that use it without bringing it along.

llama_2.txt.xz holds the pieces from id 259 on, a line each. Source: models/ggml-vocab-llama-spm.gguf of llama.cpp of
llama-cpp-python 0.3.36.
"""

from __future__ import annotations

import lzma
from importlib.resources import files

from ggufpress.vocab.token_table import TokenTable, TokenType

SPECIAL_IDS = {"bos": 1, "eos": 2, "unk": 0}
N_BYTES = 256


def llama_2() -> TokenTable:
    """The 32000 tokens of Llama 2 with the scores and types of its SentencePiece model."""
    lines = lzma.decompress(files(__name__).joinpath("llama_2.txt.xz").read_bytes()).decode()
    pieces = lines.split("\n")
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(N_BYTES)), *pieces]
    # runs of spaces are user-defined pieces in all but their type
    scores = [0.0] * (3 + N_BYTES)
    scores += [-1e9 if set(piece) == {"▁"} else float(-i) for i, piece in enumerate(pieces)]
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    types += [TokenType.BYTE] * N_BYTES + [TokenType.NORMAL] * len(pieces)
    return TokenTable(tokens, types, scores)
