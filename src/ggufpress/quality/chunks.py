"""A text cut into chunks as llama-perplexity and llama-imatrix cut it.

Source: llama.cpp of llama-cpp-python 0.3.36, tools/perplexity/perplexity.cpp (`perplexity`), tools/imatrix/imatrix.cpp
(`compute_imatrix`), common/arg.cpp (the option --file, which drops one line end).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ggufpress.errors import InputError
from ggufpress.llama.model import Model, Tokens

MAX_TEXT = 1 << 28
"""Bytes of a text that are read."""


@dataclass(frozen=True, eq=False)
class Chunks:
    """The tokens of a text: (n_chunks, n_ctx) int32. `bos` takes the first place of each chunk when it is read, if given."""

    tokens: Tokens
    bos: int | None

    @property
    def n_chunks(self) -> int:
        """How many there are."""
        return int(self.tokens.shape[0])

    @property
    def n_ctx(self) -> int:
        """Tokens of each."""
        return int(self.tokens.shape[1])

    def read(self, first: int, count: int) -> Tokens:
        """What the model is given of `count` chunks: (count, n_ctx)."""
        part = self.tokens[first : first + count].copy()
        if self.bos is not None:
            part[:, 0] = self.bos
        return part

    def first(self, count: int | None) -> Chunks:
        """The first `count` chunks, or all."""
        return self if count is None or count >= self.n_chunks else Chunks(self.tokens[:count], self.bos)


def read_text(path: Path) -> bytes:
    """The text in the file at `path`, without a line end at its end.

    Raises InputError where it cannot be read, or is too long to be one.
    """
    try:
        size = path.stat().st_size
        if size > MAX_TEXT:
            raise InputError(f"{path} has {size:,} bytes: too long a text; {MAX_TEXT:,} are read at most")
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return text.removesuffix(b"\n")


def cut(model: Model, text: bytes, n_ctx: int, name: str, *, special: bool = False) -> Chunks:
    """The chunks of `text` in the tokens of `model`. What does not fill the last chunk is left out.

    special: names of special tokens in the text are those tokens.

    Raises InputError, naming the text, where it has fewer than two chunks.
    """
    tokens = model.tokenize(text, special=special)
    if len(tokens) < 2 * n_ctx:
        raise InputError(
            f"{name} has {len(tokens):,} tokens, and at least {2 * n_ctx:,} are needed with a context of {n_ctx}",
            hint="take a longer text, or a smaller --ctx",
        )
    n_chunks = len(tokens) // n_ctx
    bos = model.vocab_fact("bos") if model.vocab_fact("get_add_bos") else None
    return Chunks(tokens[: n_chunks * n_ctx].reshape(n_chunks, n_ctx), bos)
