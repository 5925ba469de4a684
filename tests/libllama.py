"""llama.cpp's C interface inside the xllamacpp wheel, for what its server does not do: encoders, diffusion, reasons.

Parameters travel as rooms of bytes that are larger than any struct of them, as include/llama.h's `*_default_params`
fill them, so no layout of theirs is repeated here; only `llama_batch` is, which has not changed for years.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xllamacpp
from numpy.typing import NDArray

Pointer = ctypes.c_void_p
Token = ctypes.c_int32


class Parameters(ctypes.Structure):
    """Room for llama_model_params or llama_context_params, which both functions take as their last value."""

    _fields_ = (("room", ctypes.c_uint64 * 64),)


class Batch(ctypes.Structure):
    """llama_batch."""

    _fields_ = (
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(Token)),
        ("embd", Pointer),
        ("pos", Pointer),
        ("n_seq_id", Pointer),
        ("seq_id", Pointer),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    )


ERROR = 4
"""GGML_LOG_LEVEL_ERROR (ggml.h)."""
LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)

SIGNATURES = {
    "llama_log_set": (None, LOG, Pointer),
    "llama_model_default_params": (Parameters,),
    "llama_model_load_from_file": (Pointer, ctypes.c_char_p, Parameters),
    "llama_model_get_vocab": (Pointer, Pointer),
    "llama_model_has_encoder": (ctypes.c_bool, Pointer),
    "llama_model_decoder_start_token": (Token, Pointer),
    "llama_model_free": (None, Pointer),
    "llama_model_n_embd_out": (ctypes.c_int32, Pointer),
    "llama_vocab_n_tokens": (ctypes.c_int32, Pointer),
    "llama_context_default_params": (Parameters,),
    "llama_init_from_model": (Pointer, Pointer, Parameters),
    "llama_free": (None, Pointer),
    "llama_set_n_threads": (None, Pointer, ctypes.c_int32, ctypes.c_int32),
    "llama_set_causal_attn": (None, Pointer, ctypes.c_bool),
    "llama_set_embeddings": (None, Pointer, ctypes.c_bool),
    "llama_encode": (ctypes.c_int32, Pointer, Batch),
    "llama_decode": (ctypes.c_int32, Pointer, Batch),
    "llama_get_logits_ith": (ctypes.POINTER(ctypes.c_float), Pointer, ctypes.c_int32),
    "llama_get_embeddings_ith": (ctypes.POINTER(ctypes.c_float), Pointer, ctypes.c_int32),
}


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(sys.modules["xllamacpp.xllamacpp"].__file__)
    for name, (result, *arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


assert xllamacpp
LIB = _library()
messages: list[str] = []
"""The errors that llama.cpp logged."""


def _keep(level: int, text: bytes, _: object) -> None:
    if level == ERROR:
        messages.append(text.decode(errors="replace"))


_logged = LOG(_keep)


class Context:
    """A model with a small context on one thread."""

    def __init__(self, model: int, context: int) -> None:
        self.model, self.context = model, context
        vocab = LIB.llama_model_get_vocab(model)
        self.n_vocab, self.n_embd = LIB.llama_vocab_n_tokens(vocab), LIB.llama_model_n_embd_out(model)

    def _run(self, name: str, tokens: list[int]) -> None:
        n = len(tokens)
        ids, outputs = (Token * n)(*tokens), (ctypes.c_int8 * n)(*[1] * n)
        if status := getattr(LIB, name)(self.context, Batch(n, ids, None, None, None, None, outputs)):
            raise RuntimeError(f"{name} returns {status}: {' '.join(messages[-3:])}")

    def encode(self, tokens: list[int]) -> None:
        """Let the encoder read the tokens."""
        self._run("llama_encode", tokens)

    def embeddings(self, tokens: list[int]) -> NDArray[np.float32]:
        """What the encoder makes of each token: (len(tokens), n_embd), as wide as what comes out."""
        LIB.llama_set_embeddings(self.context, True)
        self.encode(tokens)
        rows = [LIB.llama_get_embeddings_ith(self.context, i) for i in range(len(tokens))]
        return np.array([np.ctypeslib.as_array(row, (self.n_embd,)) for row in rows])

    def logits(self, tokens: list[int], *, causal: bool = True) -> NDArray[np.float32]:
        """The logits after each of the tokens, which follow those of earlier calls: (len(tokens), n_vocab)."""
        LIB.llama_set_causal_attn(self.context, causal)
        self._run("llama_decode", tokens)
        rows = [LIB.llama_get_logits_ith(self.context, i) for i in range(len(tokens))]
        return np.array([np.ctypeslib.as_array(row, (self.n_vocab,)) for row in rows])

    @property
    def start(self) -> int:
        """The token that begins a decoder's text."""
        token: int = LIB.llama_model_decoder_start_token(self.model)
        return token


@contextmanager
def opened(path: Path) -> Iterator[Context]:
    """The model in a file; RuntimeError with llama.cpp's words if it does not load."""
    messages.clear()
    # a server of xllamacpp logs in its own way
    LIB.llama_log_set(_logged, None)
    model = LIB.llama_model_load_from_file(str(path).encode(), LIB.llama_model_default_params())
    if not model:
        raise RuntimeError(" ".join(" ".join(messages).split()))
    context = LIB.llama_init_from_model(model, LIB.llama_context_default_params())
    if not context:
        raise RuntimeError(" ".join(" ".join(messages).split()))
    try:
        LIB.llama_set_n_threads(context, 1, 1)
        yield Context(model, context)
    finally:
        LIB.llama_free(context)
        LIB.llama_model_free(model)
