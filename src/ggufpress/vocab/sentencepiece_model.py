"""What a SentencePiece model file says about itself beyond its pieces: kind, and how text is normalized.

The file is a protocol buffer; the three fields that matter are read here, since the sentencepiece library does not show them.
Source of the field numbers: sentencepiece, src/sentencepiece_model.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ggufpress.errors import TokenizerError

UNIGRAM, BPE = 1, 2

_TRAINER, _NORMALIZER = 2, 3
_MODEL_TYPE = 3
_CHARSMAP, _DUMMY_PREFIX, _EXTRA_SPACES = 2, 3, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`model_type` is UNIGRAM, BPE or another number; `charsmap` the compiled rules of normalization, empty without any."""

    model_type: int = UNIGRAM
    charsmap: bytes = b""
    adds_prefix: bool = True
    removes_spaces: bool = True


def read_facts(content: bytes, where: str) -> ModelFacts:
    """The facts in a model file's bytes. Raises TokenizerError where it is cut or no protocol buffer."""
    model_type, charsmap, prefix, spaces = UNIGRAM, b"", True, True
    for number, value in _fields(content, where):
        if number == _TRAINER and isinstance(value, bytes):
            for inner, setting in _fields(value, where):
                if inner == _MODEL_TYPE and isinstance(setting, int):
                    model_type = setting
        elif number == _NORMALIZER and isinstance(value, bytes):
            for inner, setting in _fields(value, where):
                if inner == _CHARSMAP and isinstance(setting, bytes):
                    charsmap = setting
                elif inner == _DUMMY_PREFIX and isinstance(setting, int):
                    prefix = bool(setting)
                elif inner == _EXTRA_SPACES and isinstance(setting, int):
                    spaces = bool(setting)
    return ModelFacts(model_type, charsmap, prefix, spaces)


def _fields(content: bytes, where: str) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message: numbers as int, everything else as the bytes that hold it."""
    at = 0
    while at < len(content):
        tag, at = _varint(content, at, where)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _varint(content, at, where)
            yield tag >> 3, number
            continue
        size = 8 if kind == _FIXED64 else 4
        if kind == _BYTES:
            size, at = _varint(content, at, where)
        elif kind not in (_FIXED64, _FIXED32):
            raise TokenizerError(f"{where} is not a SentencePiece model: a field of kind {kind} at byte {at}")
        if size > len(content) - at:
            raise TokenizerError(f"{where} is not a SentencePiece model: it is cut within a field at byte {at}")
        yield tag >> 3, content[at : at + size]
        at += size


def _varint(content: bytes, at: int, where: str) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise TokenizerError(f"{where} is not a SentencePiece model: it is cut within a number at byte {at}")
