"""Finding llama.cpp's shared library and opening it: its functions with their C types, its log kept out of sight."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from ggufpress.errors import LlamaError
from ggufpress.llama.parameters import SUPPORTED, Layout, Parameters, layout_of

VARIABLE = "GGUFPRESS_LLAMA"
"""The environment variable that names the shared library, where it is not one that Python has installed."""
INSTALL = 'pip install "ggufpress[run]"'

MODULES = (("xllamacpp", "xllamacpp*.so"), ("llama_cpp", "lib/libllama.so*"))
"""Packages that bring the library, and where it lies in them."""

_WARNING, _ERROR, _CONTINUED = 3, 4, 5
_KEPT_LINES = 12


class Batch(ctypes.Structure):
    """llama_batch: what is to be decoded. Source: include/llama.h."""

    _fields_ = (
        ("n_tokens", c_int32),
        ("token", c_void_p),
        ("embd", c_void_p),
        ("pos", c_void_p),
        ("n_seq_id", c_void_p),
        ("seq_id", c_void_p),
        ("logits", c_void_p),
    )


class ChatMessage(ctypes.Structure):
    """llama_chat_message. Source: include/llama.h."""

    _fields_ = (("role", c_char_p), ("content", c_char_p))


EvalCallback = ctypes.CFUNCTYPE(c_bool, c_void_p, c_bool, c_void_p)
"""ggml_backend_sched_eval_callback: (tensor, ask, user data). Source: ggml/include/ggml-backend.h."""
_LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_int, c_char_p, c_void_p)
_AbortCallback = ctypes.CFUNCTYPE(None, c_char_p)

_VOCAB_TEXT = (c_void_p, c_char_p, c_int32, c_void_p, c_int32, c_bool, c_bool)
PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ggml_backend_buffer_is_host": (c_bool, (c_void_p,)),
    "ggml_backend_dev_count": (c_size_t, ()),
    "ggml_backend_load_all_from_path": (None, (c_char_p,)),
    "ggml_backend_tensor_get": (None, (c_void_p, c_void_p, c_size_t, c_size_t)),
    "ggml_op_name": (c_char_p, (c_int32,)),
    "ggml_set_abort_callback": (c_void_p, (_AbortCallback,)),
    "ggml_tensor_overhead": (c_size_t, ()),
    "llama_backend_init": (None, ()),
    "llama_chat_apply_template": (c_int32, (c_char_p, POINTER(ChatMessage), c_size_t, c_bool, c_char_p, c_int32)),
    "llama_context_default_params": (Parameters, ()),
    "llama_decode": (c_int32, (c_void_p, Batch)),
    "llama_detokenize": (c_int32, _VOCAB_TEXT),
    "llama_encode": (c_int32, (c_void_p, Batch)),
    "llama_free": (None, (c_void_p,)),
    "llama_get_embeddings_ith": (POINTER(c_float), (c_void_p, c_int32)),
    "llama_get_embeddings_seq": (POINTER(c_float), (c_void_p, c_int32)),
    "llama_get_logits": (POINTER(c_float), (c_void_p,)),
    "llama_get_memory": (c_void_p, (c_void_p,)),
    "llama_init_from_model": (c_void_p, (c_void_p, Parameters)),
    "llama_log_set": (None, (_LogCallback, c_void_p)),
    "llama_memory_clear": (None, (c_void_p, c_bool)),
    "llama_model_chat_template": (c_char_p, (c_void_p, c_char_p)),
    "llama_model_decoder_start_token": (c_int32, (c_void_p,)),
    "llama_model_default_params": (Parameters, ()),
    "llama_model_desc": (c_int32, (c_void_p, c_char_p, c_size_t)),
    "llama_model_free": (None, (c_void_p,)),
    "llama_model_get_vocab": (c_void_p, (c_void_p,)),
    "llama_model_has_decoder": (c_bool, (c_void_p,)),
    "llama_model_has_encoder": (c_bool, (c_void_p,)),
    "llama_model_load_from_file": (c_void_p, (c_char_p, Parameters)),
    "llama_model_n_ctx_train": (c_int32, (c_void_p,)),
    "llama_model_n_embd": (c_int32, (c_void_p,)),
    "llama_model_n_params": (c_uint64, (c_void_p,)),
    "llama_model_size": (c_uint64, (c_void_p,)),
    "llama_n_ctx": (c_uint32, (c_void_p,)),
    "llama_pooling_type": (ctypes.c_int, (c_void_p,)),
    "llama_print_system_info": (c_char_p, ()),
    "llama_tokenize": (c_int32, _VOCAB_TEXT),
    "llama_version": (c_char_p, ()),
    "llama_vocab_bos": (c_int32, (c_void_p,)),
    "llama_vocab_eos": (c_int32, (c_void_p,)),
    "llama_vocab_get_add_bos": (c_bool, (c_void_p,)),
    "llama_vocab_get_add_eos": (c_bool, (c_void_p,)),
    "llama_vocab_get_text": (c_char_p, (c_void_p, c_int32)),
    "llama_vocab_is_eog": (c_bool, (c_void_p, c_int32)),
    "llama_vocab_n_tokens": (c_int32, (c_void_p,)),
    "llama_vocab_type": (ctypes.c_int, (c_void_p,)),
}
"""What is called, with result and arguments. Source: include/llama.h, ggml/include/ggml.h, ggml/include/ggml-backend.h."""


class Library:
    """llama.cpp, ready to be called: `call` holds its functions by name."""

    def __init__(self, path: Path, origin: str) -> None:
        self.path = path
        self.origin = origin
        try:
            self._opened = ctypes.CDLL(str(path))
        except OSError as error:
            raise LlamaError(f"{path} cannot be opened as a shared library: {error}") from error
        self.call: dict[str, Callable[..., Any]] = {}
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(self._opened, name, None)
            if function is None:
                raise LlamaError(
                    f"{origin} lacks llama.cpp's function {name}: it is too old or too new", hint=SUPPORTED
                )
            function.restype, function.argtypes = result, arguments
            self.call[name] = function
        self.layout: Layout = layout_of(
            self.call["llama_model_default_params"](), self.call["llama_context_default_params"](), origin
        )
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        # held, for ctypes does not hold what it hands to C
        self._callbacks = (_LogCallback(self._listen), _AbortCallback(_last_words))
        self.call["llama_log_set"](self._callbacks[0], None)
        self.call["ggml_set_abort_callback"](self._callbacks[1])
        if self.call["ggml_backend_dev_count"]() == 0:
            self.call["ggml_backend_load_all_from_path"](os.fsencode(path.parent))
        self.call["llama_backend_init"]()

    @property
    def version(self) -> str:
        """Which library this is, and the version of llama.cpp that it tells."""
        return f"{self.origin} (llama.cpp {self.call['llama_version']().decode()})"

    def complaints(self) -> str:
        """What llama.cpp said was wrong since this was last asked, in one line; empty where it said nothing."""
        said = " ".join(line.strip() for line in "".join(self._said).splitlines() if line.strip())
        self._said.clear()
        return said

    def _listen(self, level: int, text: bytes | None, user_data: int | None) -> None:
        if level == _ERROR or (level == _CONTINUED and self._said and not self._said[-1].endswith("\n")):
            self._said.append((text or b"").decode("utf-8", "replace"))


def _last_words(message: bytes) -> None:
    """Say in one line why ggml ends the process, for it does not return from here."""
    text = message.decode("utf-8", "replace").strip().replace("\n", " ")
    sys.stdout.flush()
    print(f"error: llama.cpp gave up: {text}", file=sys.stderr, flush=True)
    os._exit(LlamaError.exit_code)


@cache
def library() -> Library:
    """The library, opened once per process.

    Raises LlamaError where none is installed, or where it is of a version with unknown structs.
    """
    for path, origin in _candidates():
        return Library(path, origin)
    raise LlamaError("llama.cpp is not installed for this Python", hint=INSTALL)


def installed() -> bool:
    """Whether a library was found. It is not opened."""
    return next(_candidates(), None) is not None


def _candidates() -> Iterator[tuple[Path, str]]:
    if named := os.environ.get(VARIABLE):
        yield Path(named), named
        return
    for module, pattern in MODULES:
        # found, not imported: importing runs code that is not needed here
        found = importlib.util.find_spec(module)
        for folder in (found.submodule_search_locations or ()) if found else ():
            for path in sorted(Path(folder).glob(pattern)):
                yield path, module
