"""The merges of a byte-pair encoding, one string per pair.

Source of the rules: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/vocab.py (`SpecialVocab`).
"""

from __future__ import annotations

from ggufpress.errors import TokenizerError
from ggufpress.vocab.files import TOKENIZER_JSON, TokenizerFiles

MERGES_TXT = "merges.txt"
# byte-level BPE writes the byte 32 as this letter
SPACE = chr(ord(" ") + 256)


def read_merges(files: TokenizerFiles) -> list[str]:
    """The merges from tokenizer.json, in either notation, else from merges.txt."""
    listed = files.tokenizer.get("model", {}).get("merges") if files.has(TOKENIZER_JSON) else None
    if isinstance(listed, list) and listed:
        if all(isinstance(merge, str) for merge in listed):
            return listed
        try:
            return [f"{_written(left)} {_written(right)}" for left, right in listed]
        except (AttributeError, TypeError, ValueError):
            raise TokenizerError(f"{files.root / TOKENIZER_JSON}: merges are neither strings nor pairs of strings") from None
    return _from_text(files)


def _written(part: str) -> str:
    return part.replace(" ", SPACE)


def _from_text(files: TokenizerFiles) -> list[str]:
    if not files.has(MERGES_TXT):
        return []
    lines = files.checkpoint.read_text(MERGES_TXT).split("\n")
    if lines and lines[0].strip().startswith("#"):
        lines = lines[1:]
    pairs = (line.split(None, 3) for line in lines)
    return [f"{pair[0]} {pair[1]}" for pair in pairs if len(pair) == 2]
