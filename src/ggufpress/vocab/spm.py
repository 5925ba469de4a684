"""SentencePiece vocabularies from tokenizer.model: Llama 2, Mistral, and what was made from them.

Source of the rules: llama.cpp of llama-cpp-python 0.3.36, conversion/base.py (`_create_vocab_sentencepiece`).
"""

from __future__ import annotations

from sentencepiece import SentencePieceProcessor

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Value
from ggufpress.vocab.files import SPM_MODEL, TokenizerFiles
from ggufpress.vocab.special import special_keys
from ggufpress.vocab.tokens import TokenType, added_token, padding, token_keys

LIMIT = 100 << 20
"""Bytes of a tokenizer.model; real ones have up to 5 MB."""
PADDING_SCORE = -10000.0
ADDED_SCORE = -1000.0


def spm_vocab(files: TokenizerFiles, n_vocab: int | None) -> tuple[int, list[tuple[str, Value]]]:
    """The number of tokens and the keys. Pieces beyond `n_vocab` are left out, ids without a piece are padding."""
    processor = load(files)
    size = n_vocab or processor.vocab_size()
    tokens = [padding(i) for i in range(size)]
    scores = [PADDING_SCORE] * size
    types = [TokenType.UNUSED] * size

    ids = list(range(min(processor.vocab_size(), size)))
    try:
        tokens[: len(ids)] = processor.IdToPiece(ids)
    except UnicodeDecodeError as error:
        raise TokenizerError(f"{files.root / SPM_MODEL}: a piece is not UTF-8: {error}") from None
    scores[: len(ids)] = processor.GetScore(ids)
    types[: len(ids)] = piece_types(processor, ids)

    for token, number in files.added.items():
        if number < size:
            tokens[number], scores[number], types[number] = token, ADDED_SCORE, TokenType.USER_DEFINED
    for number, entry in files.added_tokens_decoder.items():
        if number < size:
            tokens[number], types[number] = added_token(entry["content"], bool(entry.get("special")))
            scores[number] = ADDED_SCORE
    keys = token_keys("llama", "default", tokens, types, scores)
    return size, keys + special_keys(files, n_vocab=size)


def load(files: TokenizerFiles) -> SentencePieceProcessor:
    """The SentencePiece model of the checkpoint. Raises TokenizerError where it is none."""
    path = files.root / SPM_MODEL
    try:
        with path.open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise TokenizerError(f"{path} cannot be read: {error.strerror}") from error
    processor = SentencePieceProcessor()
    try:
        if len(data) > LIMIT or not data or not processor.LoadFromSerializedProto(data):
            raise RuntimeError
    except RuntimeError:
        hint = "it is a Git LFS pointer: download the real file" if data.startswith(b"version https://git-lfs") else None
        raise TokenizerError(f"{path} is not a SentencePiece model", hint=hint) from None
    return processor


def piece_types(processor: SentencePieceProcessor, ids: list[int]) -> list[TokenType]:
    """The type of each piece; the first that fits counts."""
    flags = (
        (processor.IsUnknown(ids), TokenType.UNKNOWN),
        (processor.IsControl(ids), TokenType.CONTROL),
        (processor.IsUnused(ids), TokenType.UNUSED),
        (processor.IsByte(ids), TokenType.BYTE),
    )
    return [next((kind for marked, kind in flags if marked[i]), TokenType.NORMAL) for i in range(len(ids))]
