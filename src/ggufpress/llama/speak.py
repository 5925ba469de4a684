"""Letting a model speak: the likeliest token after the likeliest token, so that the same file says the same."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ggufpress.errors import LlamaError
from ggufpress.llama.chat import Prompt, chat_prompt
from ggufpress.llama.context import Context
from ggufpress.llama.model import Model, Tokens

QUESTION = "Write one sentence about the sea."
BEGINNING = "Once upon a time"


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model said to `prompt`, and how fast: numbers of tokens, and seconds.

    `n_embd` is given in the place of a text where the model is an encoder, which has no words of its own.
    """

    path: Path
    library: str
    model: str
    prompt: str
    made_by: str
    text: str
    n_prompt: int
    prompt_seconds: float
    n_tokens: int
    seconds: float
    ended: bool
    n_embd: int | None = None

    @property
    def speed(self) -> float:
        """Tokens per second, the prompt's not counted."""
        return self.n_tokens / self.seconds if self.seconds else 0.0

    @property
    def prompt_speed(self) -> float:
        """Tokens per second at which the prompt was read."""
        return self.n_prompt / self.prompt_seconds if self.prompt_seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "path": str(self.path),
            "runtime": self.library,
            "model": self.model,
            "prompt": self.prompt,
            "prompt_made_by": self.made_by,
            "text": self.text,
            "ended": self.ended,
            "tokens": self.n_tokens,
            "tokens_per_second": round(self.speed, 2),
            "prompt_tokens": self.n_prompt,
            "prompt_tokens_per_second": round(self.prompt_speed, 2),
            "embedding": self.n_embd,
        }


def speak(
    path: Path,
    prompt: str | None = None,
    *,
    n_tokens: int = 64,
    raw: bool = False,
    n_threads: int | None = None,
    say: Callable[[str], None] | None = None,
) -> Spoken:
    """What the model at `path` answers to `prompt`, by default a question or the beginning of a tale.

    raw: give it the prompt as it is, without a chat template. `say` gets the text as it comes.
    Raises LlamaError where the file does not load, or the model computes what is no number.
    """
    with Model(path) as model:
        if _is_encoder(model):
            return _embedded(model, prompt or BEGINNING, n_threads)
        if raw or model.template() is None:
            asked = Prompt(prompt or BEGINNING, "plain text")
        else:
            asked = chat_prompt(model, prompt or QUESTION)
        tokens = _tokens(model, asked.text)
        with Context(model, len(tokens) + n_tokens + 1, n_threads=n_threads) as context:
            started = time.perf_counter()
            first = _begin(model, context, tokens)
            read = time.perf_counter()
            text, count, ended = _continue(model, context, first, n_tokens, say or (lambda _: None))
            finished = time.perf_counter()
        return Spoken(
            path, model.library.version, model.description, asked.text, asked.made_by, text,
            len(tokens), read - started, count, finished - read, ended,
        )  # fmt: skip


def _is_encoder(model: Model) -> bool:
    if not model.fact("has_decoder"):
        return True
    with Context(model, 8, n_threads=1) as context:
        return not context.remembers


def _tokens(model: Model, text: str) -> Tokens:
    """The prompt's tokens. Where the template writes the beginning of the text, the tokenizer's own is one too many."""
    tokens = model.tokenize(text.encode(), special=True)
    bos = model.vocab_fact("bos")
    if model.vocab_fact("get_add_bos") and len(tokens) > 1 and tokens[0] == tokens[1] == bos:
        tokens = tokens[1:]
    if not len(tokens):
        raise LlamaError(f"{model.path}: the prompt has no tokens")
    return tokens


def _begin(model: Model, context: Context, tokens: Tokens) -> tuple[int, int]:
    """The first token said, and the position of the next. An encoder reads the prompt by itself."""
    if not model.fact("has_encoder"):
        context.decode(tokens)
        return _likeliest(model, context), len(tokens)
    context.decode(tokens, encode=True)
    start = model.fact("decoder_start_token")
    context.decode(np.array([start if start >= 0 else model.vocab_fact("bos")], np.int32))
    return _likeliest(model, context), 1


def _continue(
    model: Model, context: Context, first: tuple[int, int], n_tokens: int, say: Callable[[str], None]
) -> tuple[str, int, bool]:
    """What is said, how many tokens it took, and whether the model ended it."""
    token, position = first
    said: list[int] = []
    text = ""
    # half a character waits for its other half
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    n_bytes = 0
    while not (ended := model.ends(token)) and len(said) < n_tokens:
        said.append(token)
        data = model.detokenize(np.array(said, np.int32))
        new = decoder.decode(data[n_bytes:])
        n_bytes = len(data)
        text += new
        say(new)
        context.decode(np.array([token], np.int32), first=position)
        token, position = _likeliest(model, context), position + 1
    rest = decoder.decode(b"", final=True)
    say(rest)
    return text + rest, len(said), ended


def _likeliest(model: Model, context: Context) -> int:
    row = context.logits(1)[0]
    if np.isnan(row).any():
        raise LlamaError(
            f"{model.path} loads, but computes what is no number",
            hint="ggufpress verify --against SOURCE shows which tensors are wrong",
        )
    return int(row.argmax())


def _embedded(model: Model, prompt: str, n_threads: int | None) -> Spoken:
    tokens = model.tokenize(prompt.encode(), special=True)
    with Context(model, len(tokens), n_threads=n_threads, embeddings=True) as context:
        started = time.perf_counter()
        context.decode(tokens, wanted=np.ones(len(tokens), np.int8), encode=True)
        row = context.embedding()
        seconds = time.perf_counter() - started
    if not np.isfinite(row).all():
        raise LlamaError(f"{model.path} loads, but its embedding has what is no number")
    return Spoken(
        model.path, model.library.version, model.description, prompt, "plain text", "", len(tokens), seconds, 0, 0.0,
        True, len(row),
    )  # fmt: skip
