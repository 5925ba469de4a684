"""Byte-level BPE that comes as a list of byte strings in order of rank: tiktoken's files and Mistral's tekken.json.

llama.cpp wants text instead of bytes, each byte as the character that GPT-2 has for it, and merges instead of ranks.
Source: llama.cpp of llama-cpp-python 0.3.36, conversion/qwen.py (QwenModel.bpe), gguf-py/gguf/vocab.py (MistralVocab).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from ggufpress.errors import TokenizerError
from ggufpress.vocab.token_table import MAX_N_VOCAB

Ranks: TypeAlias = dict[bytes, int]
"""Tokens as bytes, with the number that is both their id and their rank."""

MAX_TOKEN_BYTES = 4096
"""More than any token has; a broken file must not make us look for its merges without end."""


def _characters() -> dict[int, str]:
    """What GPT-2 writes for each byte: itself where it is visible in Latin-1, else the next free one from 256 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


CHARACTERS = _characters()
_TABLE = {ord(chr(byte)): character for byte, character in CHARACTERS.items()}


def byte_text(token: bytes) -> str:
    """The token with a character for each byte."""
    return token.decode("latin-1").translate(_TABLE)


def read_rank_lines(content: str, where: str) -> Ranks:
    """The ranks in tiktoken's notation: a line per token, its bytes in base64 and its rank.

    Raises TokenizerError that begins with `where` for a line that is something else, or a rank that occurs twice.
    """
    ranks: Ranks = {}
    for number, line in enumerate(content.split("\n"), 1):
        if not (parts := line.split()):
            continue
        token = decoded(parts[0], f"{where}: line {number}")
        if len(parts) != 2 or not parts[1].isascii() or not parts[1].isdigit() or int(parts[1][:9]) >= MAX_N_VOCAB:
            raise TokenizerError(
                f"{where}: line {number} is {line!r:.60}, a token in base64 and its rank were expected"
            )
        if token in ranks:
            raise TokenizerError(f"{where}: line {number} has a token that stands there already")
        ranks[token] = int(parts[1])
    check_ranks(ranks, where)
    return ranks


def decoded(stated: str, where: str) -> bytes:
    """The bytes that `stated` holds in base64. Raises TokenizerError that begins with `where`."""
    try:
        token = base64.b64decode(stated, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenizerError(f"{where} is no base64: {error}") from error
    if not 0 < len(token) <= MAX_TOKEN_BYTES:
        raise TokenizerError(f"{where} has a token of {len(token)} bytes, 1 to {MAX_TOKEN_BYTES} are possible")
    return token


def check_ranks(ranks: Mapping[bytes, int], where: str) -> None:
    """Nothing. Raises TokenizerError where a rank is missing or occurs twice, or a byte is no token."""
    if set(ranks.values()) != set(range(len(ranks))):
        raise TokenizerError(f"{where}: its {len(ranks)} tokens do not have the ranks from 0 on, each once")
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise TokenizerError(f"{where} has no token for {len(missing)} of the 256 bytes, the first is {missing[0]}")


def merges_of(ranks: Mapping[bytes, int]) -> Iterator[str]:
    """One merge for each longer token, in their order: the two parts that merging by ranks below its own leaves.

    Tokens that are not reached by merging two parts have none, as in llama.cpp's converter.
    """
    for token, rank in ranks.items():
        if len(token) > 1 and len(parts := _merged(ranks, token, rank)) == 2:
            yield f"{byte_text(parts[0])} {byte_text(parts[1])}"


def _merged(ranks: Mapping[bytes, int], token: bytes, limit: int) -> list[bytes]:
    if len(token) == 2:
        return [token[:1], token[1:]]
    parts = [token[i : i + 1] for i in range(len(token))]
    find = ranks.get
    pairs = [find(token[i : i + 2], limit) for i in range(len(token) - 1)]
    while pairs and (best := min(pairs)) < limit:
        i = pairs.index(best)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
        del pairs[i]
        # only the neighbours have a new partner
        if i > 0:
            pairs[i - 1] = find(parts[i - 1] + parts[i], limit)
        if i < len(pairs):
            pairs[i] = find(parts[i] + parts[i + 1], limit)
    return parts


def all_splits(ranks: Mapping[bytes, int], where: str) -> Iterator[str]:
    """All ways to merge each token of more than one byte of two others, by rank, then by those of the parts: tekken's merges.

    Raises TokenizerError where there is none for a token beyond the first 256.
    """
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        if rank < 256:
            continue
        pairs = [(token[:i], token[i:]) for i in range(1, len(token))]
        known = [(ranks[a], ranks[b], a, b) for a, b in pairs if a in ranks and b in ranks]
        if not known:
            raise TokenizerError(f"{where}: the token of rank {rank} is made of no two others")
        for _, _, left, right in sorted(known):
            yield f"{byte_text(left)} {byte_text(right)}"
