"""llama.cpp's own tokenizer, called through the shared library inside the PyPI wheel xllamacpp."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import xllamacpp

from ggufpress.gguf.header import encode_header
from ggufpress.gguf.values import text
from ggufpress.vocab import Vocab

# place of the first flag in llama_model_params (include/llama.h): vocab_only, check_tensors, use_extra_bufts
FLAGS = 72
MAX_TOKENS = 1 << 14


class ModelParams(ctypes.Structure):
    """llama_model_params, with room to spare: it is passed by value and in memory."""

    _fields_ = [("content", ctypes.c_ubyte * 512)]


@cache
def library() -> Any:
    path = Path(xllamacpp.__file__).with_name("xllamacpp.abi3.so")
    lib = ctypes.CDLL(str(path))
    lib.llama_model_default_params.restype = ModelParams
    lib.llama_model_load_from_file.restype = ctypes.c_void_p
    lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, ModelParams]
    lib.llama_model_get_vocab.restype = ctypes.c_void_p
    lib.llama_model_get_vocab.argtypes = [ctypes.c_void_p]
    lib.llama_model_free.argtypes = [ctypes.c_void_p]
    lib.llama_tokenize.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_int32), ctypes.c_int32, ctypes.c_bool,
        ctypes.c_bool,
    ]  # fmt: skip
    for name in ("bos", "eos", "eot", "sep", "pad", "mask", "fim_pre", "fim_suf", "fim_mid", "n_tokens"):
        getattr(lib, f"llama_vocab_{name}").argtypes = [ctypes.c_void_p]
    lib.llama_log_set(SILENT, None)
    return lib


SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)


class LlamaVocab:
    """A vocabulary as llama.cpp has loaded it."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab

    def encode(self, content: str | bytes, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        data = content.encode() if isinstance(content, str) else content
        ids = (ctypes.c_int32 * MAX_TOKENS)()
        n = library().llama_tokenize(self._vocab, data, len(data), ids, MAX_TOKENS, add_special, parse_special)
        assert n >= 0
        return ids[:n]

    def token(self, name: str) -> int:
        """The id of a special token, -1 where there is none: bos, eos, eot, sep, pad, mask, fim_pre, fim_suf, fim_mid."""
        found: int = getattr(library(), f"llama_vocab_{name}")(self._vocab)
        return found


@contextmanager
def loaded(path: Path, *, vocab_only: bool = True) -> Iterator[LlamaVocab]:
    """The vocabulary of a GGUF file, by default without its weights."""
    lib = library()
    params = lib.llama_model_default_params()
    assert list(params.content[FLAGS : FLAGS + 3]) == [0, 0, 1], "llama_model_params has changed"
    params.content[FLAGS] = vocab_only
    model = lib.llama_model_load_from_file(str(path).encode(), params)
    assert model, f"llama.cpp does not load {path}"
    try:
        yield LlamaVocab(lib.llama_model_get_vocab(model))
    finally:
        lib.llama_model_free(model)


def write_vocab(vocab: Vocab, path: Path, arch: str = "llama") -> Path:
    """A GGUF file without tensors."""
    path.write_bytes(encode_header({"general.architecture": text(arch), **dict(vocab.metadata)}, []))
    return path
