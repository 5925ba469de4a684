"""Vocabularies: the tokenizer files of a checkpoint, turned into GGUF metadata as llama.cpp's converter does it."""

from ggufpress.vocab.read import KINDS, Vocab, read_vocab

__all__ = ["KINDS", "Vocab", "read_vocab"]
