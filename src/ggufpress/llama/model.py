"""A model that llama.cpp has loaded: its vocabulary, its template, what it can do."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import LlamaError
from ggufpress.llama.library import ChatMessage, Library, library

Tokens = NDArray[np.int32]

MAX_TEXT = 1 << 30
"""Bytes of a text that are tokenized in one go."""


class Model:
    """The model in the GGUF file at `path`, any shard of a set being its name. A context manager.

    vocab_only: load no weights, for tokenizing alone.
    Raises LlamaError where llama.cpp does not load it, with the reason that llama.cpp gives.
    """

    def __init__(self, path: Path, *, vocab_only: bool = False) -> None:
        self.path = path
        self.library: Library = library()
        self._call = self.library.call
        parameters = self._call["llama_model_default_params"]()
        parameters.put(self.library.layout.model["vocab_only"], vocab_only)
        if not path.is_file():
            raise LlamaError(f"{path} is no file that llama.cpp could load")
        self.library.complaints()
        self.handle: Any = self._call["llama_model_load_from_file"](os.fsencode(path), parameters)
        if not self.handle:
            said = self.library.complaints()
            raise LlamaError(f"{path} does not load in llama.cpp{': ' + said if said else ''}")
        self._vocab = self._call["llama_model_get_vocab"](self.handle)
        self.n_vocab: int = self._call["llama_vocab_n_tokens"](self._vocab)

    def fact(self, name: str) -> Any:
        """What the function llama_model_`name` says of this model, such as n_ctx_train, n_embd, has_encoder."""
        return self._call[f"llama_model_{name}"](self.handle)

    def vocab_fact(self, name: str) -> Any:
        """What the function llama_vocab_`name` says of the vocabulary, such as bos, eos, get_add_bos, type."""
        return self._call[f"llama_vocab_{name}"](self._vocab)

    @property
    def description(self) -> str:
        """Architecture, size and type in llama.cpp's words."""
        buffer = ctypes.create_string_buffer(256)
        self._call["llama_model_desc"](self.handle, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def ends(self, token: int) -> bool:
        """Whether `token` ends what is being said."""
        found: bool = self._call["llama_vocab_is_eog"](self._vocab, token)
        return found

    def tokenize(self, text: bytes, *, special: bool, add_special: bool = True) -> Tokens:
        """The tokens of `text` as int32. special: names of special tokens in it are those tokens.

        Raises LlamaError where the text is too long, or the model has no vocabulary.
        """
        if len(text) > MAX_TEXT:
            raise LlamaError(f"{self.path}: a text of {len(text):,} bytes is too long to tokenize at once")
        if not self.n_vocab:
            raise LlamaError(f"{self.path} has no vocabulary")
        room = len(text) + 2
        while True:
            tokens = np.empty(room, np.int32)
            count = self._call["llama_tokenize"](
                self._vocab, text, len(text), tokens.ctypes.data, room, add_special, special
            )
            if count >= 0:
                return tokens[:count].copy()
            if -count <= room:
                raise LlamaError(f"{self.path}: llama.cpp did not tokenize the text: {self.library.complaints()}")
            room = -count

    def detokenize(self, tokens: Tokens, *, special: bool = False) -> bytes:
        """The text of `tokens`; special: also of those that have no text of their own."""
        numbers = np.ascontiguousarray(tokens, np.int32)
        room = 16 * len(numbers) + 16
        while True:
            buffer = ctypes.create_string_buffer(room)
            count = self._call["llama_detokenize"](
                self._vocab, numbers.ctypes.data_as(ctypes.c_char_p), len(numbers), buffer, room, False, special
            )
            if count >= 0:
                return buffer.raw[:count]
            if -count <= room:
                raise LlamaError(f"{self.path}: llama.cpp did not write tokens as text: {self.library.complaints()}")
            room = -count

    def token_text(self, token: int) -> str:
        """The name of `token` in the vocabulary, empty where there is no such token."""
        if not 0 <= token < self.n_vocab:
            return ""
        text: bytes = self._call["llama_vocab_get_text"](self._vocab, token)
        return text.decode("utf-8", "replace")

    def template(self) -> str | None:
        """The chat template of the file, or None."""
        found: bytes | None = self._call["llama_model_chat_template"](self.handle, None)
        return found.decode("utf-8", "replace") if found else None

    def apply_known_template(self, template: str, prompt: str) -> str | None:
        """`prompt` as a user's message, by llama.cpp's list of known templates; None where it does not know this one."""
        message = ChatMessage(b"user", prompt.encode())
        room = 4 * len(message.content) + 4096
        buffer = ctypes.create_string_buffer(room)
        count = self._call["llama_chat_apply_template"](template.encode(), ctypes.byref(message), 1, True, buffer, room)
        return buffer.raw[:count].decode("utf-8", "replace") if 0 < count <= room else None

    def close(self) -> None:
        """Free the model. Its contexts must be closed before."""
        if self.handle:
            self._call["llama_model_free"](self.handle)
            self.handle = None

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
