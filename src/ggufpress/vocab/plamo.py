"""PLaMo's vocabulary: tokenizer.jsonl, a list per line that begins with a token, its score and its type.

Source: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`_set_vocab_plamo`), conversion/plamo.py.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, flag, text, u32
from ggufpress.vocab.chat_templates import set_chat_template
from ggufpress.vocab.special import ID_KEYS
from ggufpress.vocab.token_table import ADDED_SCORE, MAX_N_VOCAB, TokenTable, TokenType, check_n_vocab
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_text

VOCAB_FILE = "tokenizer.jsonl"
TYPES = {"UNKNOWN": TokenType.UNKNOWN, "CONTROL": TokenType.CONTROL, "BYTE": TokenType.BYTE}
NAMED = ("bos", "eos", "pad", "sep", "unk")
OPERATION = 4
"""<|plamo:op|>, which ends a turn."""


def plamo(files: TokenizerFiles, n_vocab: int | None) -> tuple[str, Metadata, int, tuple[str, ...]]:
    """The kind, the keys in file order, the number of tokens, and notes. Raises TokenizerError for files that are broken."""
    table, notes = read_plamo(files, n_vocab)
    out: Metadata = {
        "tokenizer.ggml.model": text("plamo2"),
        "tokenizer.ggml.pre": text("default"),
        **dict(table.metadata()),
    }
    config = files.json("tokenizer_config.json")
    if config is None:
        raise TokenizerError(f"{files.path('tokenizer_config.json')} is missing")
    where = files.path("tokenizer_config.json")
    for name in NAMED:
        token = config.get(f"{name}_token")
        if token is not None:
            if expect_text(token, f"{where}: {name}_token") not in table.tokens:
                raise TokenizerError(f"{where}: {name}_token is {token!r:.60}, which is no token of {VOCAB_FILE}")
            out[ID_KEYS[name]] = u32(table.tokens.index(token))
    out[ID_KEYS["eot"]] = u32(OPERATION)
    out["tokenizer.ggml.add_space_prefix"] = flag(False)
    return "plamo", out, len(table.tokens), notes


def plamo3(files: TokenizerFiles, n_vocab: int | None) -> tuple[str, Metadata, int, tuple[str, ...]]:
    """As plamo, and the chat template: that of chat_template.jinja before that of tokenizer_config.json."""
    kind, out, n_tokens, notes = plamo(files, n_vocab)
    template: Any = (files.json("tokenizer_config.json") or {}).get("chat_template")
    if files.has("chat_template.jinja"):
        template = files.read_text("chat_template.jinja")
    if template:
        set_chat_template(out, template, f"{files.path('tokenizer_config.json')}: chat_template")
    return kind, out, n_tokens, notes


def read_plamo(files: TokenizerFiles, n_vocab: int | None) -> tuple[TokenTable, tuple[str, ...]]:
    """The tokens with scores and types, padded to `n_vocab`; padding counts from 1."""
    path = files.path(VOCAB_FILE)
    tokens: list[str] = []
    scores: list[float] = []
    types: list[int] = []
    for number, line in enumerate(files.read_text(VOCAB_FILE).split("\n"), 1):
        if not line.strip():
            continue
        token, score, kind = _entry(line, f"{path}: line {number}")
        tokens.append(token)
        scores.append(score)
        types.append(kind)
    if not 0 < len(tokens) <= MAX_N_VOCAB:
        raise TokenizerError(f"{path} has {len(tokens)} tokens, but 1 to {MAX_N_VOCAB} are possible")
    size = check_n_vocab(n_vocab or len(tokens), f"{files.path('config.json')}: vocab_size")
    n_padded = max(0, size - len(tokens))
    tokens += [f"[PAD{i}]" for i in range(1, n_padded + 1)]
    scores += [ADDED_SCORE] * n_padded
    types += [TokenType.UNUSED] * n_padded
    notes = (f"{n_padded} unused tokens pad the vocabulary to {size}",) if n_padded else ()
    return TokenTable(tokens, types, scores), notes


def _entry(line: str, where: str) -> tuple[str, float, int]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        entry = None
    if (
        not isinstance(entry, list)
        or len(entry) < 2
        or type(entry[1]) not in (int, float)
        or not math.isfinite(entry[1])
    ):
        raise TokenizerError(f"{where} is not a list of a token, its score and its type")
    token = expect_text(entry[0], where)
    kind = TYPES.get(entry[2]) if len(entry) > 2 and isinstance(entry[2], str) else None
    special = token.startswith("<|plamo:") and token.endswith("|>")
    return token, float(entry[1]), kind or (TokenType.CONTROL if special else TokenType.NORMAL)
