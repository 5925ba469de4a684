from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ggufpress.errors import LlamaError
from ggufpress.llama.context import Context
from ggufpress.llama.model import Model

TOKENS = np.array([1, 1932, 1976, 13, 400, 401, 402, 403], np.int32)


def test_a_text_may_be_read_in_parts(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"]) as model, Context(model, 64, n_threads=1) as context:
        context.decode(TOKENS)
        at_once = context.logits(1).copy()
        context.forget()
        context.decode(TOKENS[:5])
        context.decode(TOKENS[5:], first=5)
        assert np.allclose(context.logits(1), at_once, atol=1e-3)


def test_logits_of_all_positions_of_two_texts(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"]) as model, Context(model, 64, n_seq=2, n_threads=1) as context:
        n = len(TOKENS)
        both = np.concatenate([TOKENS, TOKENS[::-1]])
        context.decode(
            both,
            seq=np.repeat(np.arange(2, dtype=np.int32), n),
            positions=np.tile(np.arange(n, dtype=np.int32), 2),
            wanted=np.ones(2 * n, np.int8),
        )
        rows = context.logits(2 * n).copy()
        assert rows.shape == (2 * n, 2048)
        context.forget()
        context.decode(TOKENS, wanted=np.ones(n, np.int8))
        assert np.allclose(context.logits(n), rows[:n], atol=1e-3)


def test_a_context_too_small_is_an_error(bard: dict[str, Path]) -> None:
    with Model(bard["Q8_0"]) as model, Context(model, 256, n_threads=1) as context:
        for wrong in (300, 0):
            with pytest.raises(LlamaError, match=f"{wrong} tokens do not fit into a context of 256"):
                context.decode(np.full(wrong, 5, np.int32))
        context.decode(np.full(250, 5, np.int32))
        with pytest.raises(LlamaError, match="did not compute 10 tokens"):
            context.decode(np.full(10, 5, np.int32), first=250)


def test_a_watcher_sees_tensors_and_its_errors_come_through(bard: dict[str, Path]) -> None:
    seen: list[bool] = []

    def watch(tensor: int, ask: bool) -> bool:
        seen.append(ask)
        if len(seen) > 4:
            raise ValueError("enough")
        return True

    with Model(bard["Q8_0"]) as model, Context(model, 64, n_threads=1, watcher=watch) as context:
        for _ in range(2):
            with pytest.raises(ValueError, match="enough"):
                context.decode(TOKENS)
            context.forget()
    assert seen[:2] == [True, False]
