"""What llama.cpp's converter puts into files of checkpoints that do not bring it along: a vocabulary and chat templates.

llama_2.txt.xz holds Llama 2's pieces from id 259 on, a line each. Source: models/ggml-vocab-llama-spm.gguf of llama.cpp of
llama-cpp-python 0.3.36. minimax_m1.jinja and kimi_k3.jinja are the templates of MiniMax M1 and Kimi K3, as models/templates
there has them: their text is part of the files, byte for byte.
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


def chat_template(name: str) -> str:
    """The chat template of `minimax_m1` or `kimi_k3`."""
    return files(__name__).joinpath(f"{name}.jinja").read_text("utf-8")
