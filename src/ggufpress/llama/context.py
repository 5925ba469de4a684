"""A context: what llama.cpp remembers of a text, and its answer to the next tokens."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import LlamaError
from ggufpress.llama.library import Batch, EvalCallback
from ggufpress.llama.model import Model, Tokens

Rows = NDArray[np.float32]
Watcher = Callable[[int, bool], bool]
"""Called with the address of a ggml_tensor: first to ask whether it is wanted, then, where it is, with its data there.
False as the second answer stops the computation."""

UBATCH = 512
"""Tokens that llama.cpp computes together; llama-perplexity's and llama-imatrix's own number."""


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


class Context:
    """Memory for `n_seq` texts of `n_ctx` tokens of `model` each. A context manager.

    The settings are those of llama-perplexity: keys and values as F16, one memory per text, flash attention if it can.
    Raises LlamaError where llama.cpp cannot make it.
    """

    def __init__(
        self, model: Model, n_ctx: int, *, n_seq: int = 1, n_threads: int | None = None, watcher: Watcher | None = None,
        embeddings: bool = False,
    ) -> None:  # fmt: skip
        self.model = model
        self._call = model.library.call
        self.n_batch = n_ctx * n_seq
        self._problem: BaseException | None = None
        self._watcher = watcher
        # held, for ctypes does not hold what it hands to C
        self._callback = EvalCallback(self._watch) if watcher else None
        parameters = self._call["llama_context_default_params"]()
        wanted: dict[str, Any] = {
            "n_ctx": self.n_batch,
            "n_batch": self.n_batch,
            "n_ubatch": self.n_batch if embeddings else min(UBATCH, self.n_batch),
            "n_seq_max": n_seq,
            "n_outputs_max_per_seq": 0,
            "n_threads": n_threads or cores(),
            "n_threads_batch": n_threads or cores(),
            "swa_full": False,
            "embeddings": embeddings,
            "cb_eval": ctypes.cast(self._callback, ctypes.c_void_p).value or 0 if self._callback else 0,
        }
        for name, value in wanted.items():
            parameters.put(model.library.layout.context[name], value)
        model.library.complaints()
        self.handle: Any = self._call["llama_init_from_model"](model.handle, parameters)
        if not self.handle:
            raise LlamaError(
                f"{model.path}: llama.cpp has no context of {n_ctx} tokens for it: {model.library.complaints()}"
            )

    @property
    def remembers(self) -> bool:
        """Whether there is a memory at all: an encoder reads its whole text at once and has none."""
        return bool(self._call["llama_get_memory"](self.handle))

    def forget(self) -> None:
        """Empty the memory of all texts."""
        if self.remembers:
            self._call["llama_memory_clear"](self._call["llama_get_memory"](self.handle), True)

    def decode(
        self, tokens: Tokens, *, first: int = 0, seq: NDArray[np.int32] | None = None,
        positions: NDArray[np.int32] | None = None, wanted: NDArray[np.int8] | None = None, encode: bool = False,
    ) -> None:  # fmt: skip
        """Read `tokens`, which stand at `positions`, by default from `first` on, of the texts `seq`, by default the first.

        wanted: 1 where logits are asked for, by default at the last token.
        Raises LlamaError where llama.cpp fails, and whatever the watcher raised.
        """
        count = len(tokens)
        # llama.cpp ends the process over this
        if not 0 < count <= self.n_batch:
            raise LlamaError(f"{self.model.path}: {count} tokens do not fit into a context of {self.n_batch}")
        token = np.ascontiguousarray(tokens, np.int32)
        pos = np.arange(first, first + count, dtype=np.int32) if positions is None else positions.astype(np.int32)
        names = np.zeros(count, np.int32) if seq is None else np.ascontiguousarray(seq, np.int32)
        ones = np.ones(count, np.int32)
        pointers = names.ctypes.data + 4 * np.arange(count, dtype=np.uint64)
        if wanted is None:
            wanted = np.zeros(count, np.int8)
            wanted[-1:] = 1
        logits = np.ascontiguousarray(wanted, np.int8)
        arrays = (token, pos, ones, pointers, logits)
        addresses = [array.ctypes.data for array in arrays]
        batch = Batch(count, addresses[0], None, *addresses[1:])
        self._problem = None
        self.model.library.complaints()
        result = self._call["llama_encode" if encode else "llama_decode"](self.handle, batch)
        if self._problem is not None:
            raise self._problem
        if result:
            said = self.model.library.complaints()
            raise LlamaError(f"{self.model.path}: llama.cpp did not compute {count} tokens ({result}): {said}")

    def logits(self, n_rows: int) -> Rows:
        """The logits that the last `decode` was asked for: (n_rows, n_vocab). A view, valid until the next decode."""
        pointer = self._call["llama_get_logits"](self.handle)
        if not pointer:
            raise LlamaError(f"{self.model.path}: llama.cpp gives no logits")
        return np.ctypeslib.as_array(pointer, (n_rows, self.model.n_vocab))

    def embedding(self) -> Rows:
        """The embedding of the last batch: (n,). A copy."""
        n_embd = self.model.fact("n_embd")
        pointer = self._call["llama_get_embeddings_seq"](self.handle, 0)
        if not pointer:
            pointer = self._call["llama_get_embeddings_ith"](self.handle, -1)
        if not pointer:
            raise LlamaError(f"{self.model.path}: llama.cpp gives no embedding")
        return np.ctypeslib.as_array(pointer, (n_embd,)).copy()

    def close(self) -> None:
        """Free the memory."""
        if self.handle:
            self._call["llama_free"](self.handle)
            self.handle = None

    def _watch(self, tensor: int, ask: bool, user_data: int | None) -> bool:
        # an exception must not go through C: it is kept, the computation stopped, and raised after it
        try:
            return self._watcher(tensor, ask) if self._watcher and self._problem is None else False
        except BaseException as problem:
            self._problem = problem
            return False

    def __enter__(self) -> Context:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
