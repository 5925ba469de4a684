"""RWKV's World vocabulary: a line per token with its id, its text or bytes as Python writes them, and its length in bytes.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`_set_vocab_rwkv_world`); the chat template is its file
models/templates/llama-cpp-rwkv-world.jinja.
"""

from __future__ import annotations

import ast
import re
import warnings
from importlib.resources import files as package_files

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, text
from ggufpress.vocab.chat_templates import KEY, NAMES_KEY
from ggufpress.vocab.special import special_metadata
from ggufpress.vocab.token_table import TokenTable, TokenType, check_n_vocab, padding
from ggufpress.vocab.tokenizer_files import TokenizerFiles

VOCAB_FILE = "rwkv_vocab_v20230424.txt"
N_VOCAB = 1 << 16
"""The size where config.json has none."""
END_OF_TURN = 261
"""Two line ends."""
MAX_LINE = 1 << 12
"""Characters of a line, far more than the longest token takes."""

# one string or bytes literal and nothing else, so that reading it can run nothing and nest nothing
LINE = re.compile(r"""\d+ (b?'(?:[^'\\\n]|\\.)*'|b?"(?:[^"\\\n]|\\.)*") (\d{1,5})\s*""")


def rwkv(files: TokenizerFiles, n_vocab: int | None) -> tuple[str, Metadata, int, tuple[str, ...]]:
    """The kind, the keys in file order, the number of tokens, and notes.

    Raises TokenizerError that names the line where the file is no such vocabulary.
    """
    table, notes = read_rwkv(files, n_vocab)
    out: Metadata = {"tokenizer.ggml.model": text("rwkv"), **dict(table.metadata())}
    out |= special_metadata(files, fixed_ids={"eot": END_OF_TURN}, set_ids={"bos": 0, "eos": 0})
    if not out.keys() & {KEY, NAMES_KEY}:
        out[KEY] = text(package_files("ggufpress.vocab").joinpath("rwkv_world.jinja").read_text("utf-8"))
    return "rwkv", out, len(table.tokens), notes


def read_rwkv(files: TokenizerFiles, n_vocab: int | None) -> tuple[TokenTable, tuple[str, ...]]:
    """The tokens, padded to `n_vocab`; the first, which no text has, begins and ends a text."""
    path = files.path(VOCAB_FILE)
    n_vocab = check_n_vocab(N_VOCAB if n_vocab is None else n_vocab, f"{files.path('config.json')}: vocab_size")
    lines = files.read_text(VOCAB_FILE).split("\n")
    if lines[-1] == "":
        del lines[-1]
    if len(lines) >= n_vocab:
        raise TokenizerError(
            f"{path} has {len(lines)} tokens besides <s>, but the model has {n_vocab} in all",
            hint="vocab_size in config.json, the embedding and the vocabulary must be of one model",
        )
    tokens = ["<s>"]
    for number, line in enumerate(lines, 1):
        token = _token(line)
        if token is None:
            raise TokenizerError(
                f"{path}: line {number} is not an id, a token as Python writes it and its length in bytes: {line!r:.60}"
            )
        # llama.cpp undoes what repr does
        tokens.append(repr(token)[2:-1])
    types = [TokenType.CONTROL, *[TokenType.NORMAL] * len(lines), *[TokenType.UNUSED] * (n_vocab - len(tokens))]
    n_padded = n_vocab - len(tokens)
    tokens += [padding(i) for i in range(len(tokens), n_vocab)]
    notes = (f"{n_padded} unused tokens pad the vocabulary to {n_vocab}",) if n_padded else ()
    return TokenTable(tokens, types), notes


def _token(line: str) -> bytes | None:
    """The bytes of the token on a line, None where it is no such line."""
    if len(line) > MAX_LINE or not (found := LINE.fullmatch(line)):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(found[1])
        token: bytes = value.encode() if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return None
    return token if len(token) == int(found[2]) else None
