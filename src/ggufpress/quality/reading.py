"""A model that reads chunks: its logits of their second halves, which are what is scored, and what they say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import LlamaError
from ggufpress.llama.context import Context, Rows, cores
from ggufpress.llama.model import Model, Tokens
from ggufpress.quality.chunks import Chunks
from ggufpress.quality.figures import joined
from ggufpress.quality.probabilities import (
    Compared,
    Rounded,
    compare,
    empty_rounded,
    negative_log_likelihood,
    round_probabilities,
)

BLOCK = 1 << 19
"""Logits that are looked at in one go by one thread."""

Result = TypeVar("Result")


class Reader:
    """The model at `path` with a context for `n_seq` chunks, and threads for what comes after it. A context manager.

    Memory besides the weights: n_vocab * n_seq * n_ctx / 2 floats that llama.cpp keeps, and BLOCK floats per thread.
    Raises LlamaError where the model is no decoder.
    """

    def __init__(self, path: Path, n_ctx: int, n_seq: int, n_threads: int | None) -> None:
        self.path = path
        self.seconds = 0.0
        self.nll: list[NDArray[np.float64]] = []
        self.compared: list[Compared] = []
        self._n_threads = n_threads or cores()
        self._n_ctx = n_ctx
        self._stack = ExitStack()
        with ExitStack() as stack:
            self.model = stack.enter_context(Model(path))
            self._context = stack.enter_context(Context(self.model, n_ctx, n_seq=n_seq, n_threads=n_threads))
            if self.model.fact("has_encoder") or not self._context.remembers or self.model.vocab_fact("get_add_eos"):
                raise LlamaError(f"{path} is a model that does not go on with a text: it has no perplexity")
            self._pool = stack.enter_context(ThreadPoolExecutor(self._n_threads, thread_name_prefix="score"))
            self._stack = stack.pop_all()

    def read(self, chunks: Chunks, first: int, count: int) -> NDArray[np.float32]:
        """The logits of the scored halves of `count` chunks: (count, n_ctx - 1 - n_ctx // 2, n_vocab).

        A view, valid until the next call.
        """
        started = time.perf_counter()
        tokens = chunks.read(first, count)
        place = np.broadcast_to(np.arange(self._n_ctx, dtype=np.int32), tokens.shape)
        scored = place >= self._n_ctx // 2
        self._context.forget()
        self._context.decode(
            tokens.reshape(-1),
            seq=np.repeat(np.arange(count, dtype=np.int32), self._n_ctx),
            positions=place.reshape(-1),
            wanted=scored.reshape(-1).astype(np.int8),
        )
        rows = self._context.logits(int(scored.sum()))
        self.seconds += time.perf_counter() - started
        return rows.reshape(count, -1, self.model.n_vocab)[:, :-1]

    def score(self, rows: Rows, tokens: Tokens) -> None:
        """Keep how unlikely `tokens` were. Raises LlamaError where the model computes what is no number."""
        self._keep_nll(self._each(rows, lambda part: negative_log_likelihood(rows[part], tokens[part])))

    def compare(self, rows: Rows, tokens: Tokens, base: Rounded) -> None:
        """Keep how `rows` differ from `base`, too."""
        compared = self._each(rows, lambda part: compare(rows[part], tokens[part], base, part))
        self.compared.append(joined(compared))
        self._keep_nll([part.nll.astype(np.float64) for part in compared])

    def rounded(self, rows: Rows) -> Rounded:
        """The log-probabilities of `rows`, in 16 bits."""
        base = empty_rounded(len(rows), self.model.n_vocab)
        self._each(rows, lambda part: round_probabilities(rows[part], base, part))
        return base

    def _each(self, rows: Rows, function: Callable[[slice], Result]) -> list[Result]:
        """What `function` makes of each block of rows, in order, by all threads."""
        started = time.perf_counter()
        results = list(self._pool.map(function, blocks(*rows.shape)))
        self.seconds += time.perf_counter() - started
        return results

    def _keep_nll(self, parts: list[NDArray[np.float64]]) -> None:
        made = np.concatenate(parts)
        if not np.isfinite(made).all():
            raise LlamaError(
                f"{self.path} loads, but computes what is no number",
                hint="ggufpress verify --against SOURCE shows which tensors are wrong",
            )
        self.nll.append(made)

    def close(self) -> None:
        """Free the model."""
        self._stack.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def blocks(n_rows: int, n_vocab: int) -> Iterator[slice]:
    """Runs of rows of about BLOCK numbers."""
    step = max(1, BLOCK // n_vocab)
    return (slice(first, min(first + step, n_rows)) for first in range(0, n_rows, step))
