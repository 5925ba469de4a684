"""A small byte-level BPE as ranks, trained in a moment: what tiktoken's files and tekken.json hold."""

from __future__ import annotations

import base64
import json
from collections import Counter
from functools import cache
from itertools import pairwise
from typing import Any

from tokenizers import Regex, pre_tokenizers

SPLIT = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT = "the cat and the other hat went there then Привет приём 日本 日本語 return self.value def define 1 12 123 " * 3
N_RANKS, N_SPECIAL = 320, 24


@cache
def small_ranks(size: int = N_RANKS) -> dict[bytes, int]:
    """The bytes and the pairs that occur most often, merged one after the other."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    words = [[bytes([byte]) for byte in f" {word}".encode()] for word in TEXT.split()]
    while len(ranks) < size:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        ranks[left + right] = len(ranks)
        for word in words:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == (left, right):
                    word[i : i + 2] = [left + right]
                i += 1
    return ranks


def rank_lines() -> str:
    """The ranks as tiktoken writes them."""
    return "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in small_ranks().items())


def tekken(**config: Any) -> dict[str, Any]:
    """The ranks as tekken.json."""
    vocab = [
        {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
        for token, rank in small_ranks().items()
    ]
    stated = {"pattern": SPLIT, "default_vocab_size": N_RANKS + N_SPECIAL, "default_num_special_tokens": N_SPECIAL,
              "version": "v3"}  # fmt: skip
    parsed: dict[str, Any] = json.loads(json.dumps({"config": stated | config, "vocab": vocab}))
    return parsed


def encode(text: str, split: str = SPLIT) -> list[int]:
    """The ids of `text` by the definition: in each piece the neighbours of lowest rank are merged until none are left."""
    ranks = small_ranks()
    pieces = pre_tokenizers.Split(Regex(split), "isolated").pre_tokenize_str(text) if text else []
    ids: list[int] = []
    for piece, _ in pieces:
        parts = [bytes([byte]) for byte in piece.encode()]
        while found := [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]:
            _, i = min(found)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        ids += [ranks[part] for part in parts]
    return ids
