"""Tokenizer files as the `tokenizer.*` keys of a GGUF file."""

from ggufpress.vocab.read import Vocab, read_vocab

__all__ = ["Vocab", "read_vocab"]
