"""Measuring files: each reads the chunks of one text, beside the reference where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ggufpress.errors import LlamaError, UsageError
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.llama.context import Rows
from ggufpress.llama.library import library
from ggufpress.llama.model import Tokens
from ggufpress.quality.chunks import Chunks, cut
from ggufpress.quality.figures import Divergence, Estimate, divergence, joined, perplexity
from ggufpress.quality.probabilities import Rounded
from ggufpress.quality.reading import Reader

MIN_CHUNKS = 4
"""Chunks that are read before an error is trusted enough to stop."""
MIN_CTX = 8
BATCH = 2048
"""llama-perplexity's default. Source: common/common.h (`n_batch`)."""
Halves = NDArray[np.float32]
SHARE_OF_MEMORY = 0.8


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of one file. Sizes in bytes, bpw in bits per weight over all tensors."""

    path: Path
    nbytes: int
    bpw: float
    ppl: Estimate
    divergence: Divergence | None
    n_chunks: int
    n_tokens: int
    seconds: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "path": str(self.path),
            "bytes": self.nbytes,
            "bpw": round(self.bpw, 4),
            "perplexity": self.ppl.to_json(),
            "against_reference": self.divergence.to_json() if self.divergence else None,
            "chunks": self.n_chunks,
            "scored_tokens": self.n_tokens,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, of which text and by which llama.cpp."""

    reference: Quality | None
    files: tuple[Quality, ...]
    text: str
    n_ctx: int
    library: str
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "text": self.text,
            "context": self.n_ctx,
            "runtime": self.library,
            "reference": self.reference.to_json() if self.reference else None,
            "files": [file.to_json() for file in self.files],
            "seconds": round(self.seconds, 3),
        }


Progress = Callable[[int, int, str], None]
"""Called with chunks read, chunks in all, and the figures so far in words."""


def measure(
    files: Sequence[Path],
    text: bytes,
    text_name: str,
    *,
    reference: Path | None = None,
    n_ctx: int = 512,
    batch: int = BATCH,
    n_chunks: int | None = None,
    n_threads: int | None = None,
    until: float | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """The quality of `files` on `text`, and their distance from `reference`.

    batch: tokens that are read together, so that batch // n_ctx chunks are: as many as llama-perplexity has by default, for
    its last digits depend on it. Each model keeps n_vocab * max(batch, n_ctx) / 2 floats.
    until: stop as soon as every standard error is at most this share of its figure: KL divergence, else perplexity.
    Files are read side by side as far as memory has room for them, then the next ones with the reference again.
    Raises LlamaError, InputError for too short a text, GgufError for a file that is none.
    """
    if n_ctx < MIN_CTX or n_ctx % 2:
        raise UsageError(f"--ctx {n_ctx} must be an even number, at least {MIN_CTX}")
    n_seq = max(1, batch // n_ctx)
    started = time.perf_counter()
    sizes = {path: _size(path) for path in (*files, *filter(None, [reference]))}
    measured: list[Quality] = []
    of_reference: Quality | None = None
    room = int(SHARE_OF_MEMORY * available_memory()) - (sizes[reference][0] if reference else 0)
    for group in groups([sizes[path][0] for path in files], room):
        with ExitStack() as stack:
            base = stack.enter_context(Reader(reference, n_ctx, n_seq, n_threads)) if reference else None
            readers = [stack.enter_context(Reader(files[number], n_ctx, n_seq, n_threads)) for number in group]
            _read_all(base, readers, text, text_name, n_ctx, n_seq, n_chunks, until, progress)
            notes = [_notes(base, reader, text) for reader in readers]
            measured += [_quality(reader, sizes, note) for reader, note in zip(readers, notes, strict=True)]
            if base and (of_reference is None or len(base.nll) > of_reference.n_chunks):
                of_reference = _quality(base, sizes, ())
    return Evaluation(of_reference, tuple(measured), text_name, n_ctx, library().version, time.perf_counter() - started)


def groups(sizes: Sequence[int], room: int) -> list[list[int]]:
    """The numbers of files that are read together: in order, as many as `room` bytes hold, but at least one."""
    made: list[list[int]] = []
    used = 0
    for number, size in enumerate(sizes):
        if not made or used + size > room:
            made.append([])
            used = 0
        made[-1].append(number)
        used += size
    return made


def available_memory() -> int:
    """Bytes of memory that are free, or could be; very many where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except (OSError, ValueError, IndexError):
        pass
    return 1 << 60


def _read_all(
    base: Reader | None, readers: Sequence[Reader], text: bytes, name: str, n_ctx: int, n_seq: int,
    n_chunks: int | None, until: float | None, progress: Progress | None,
) -> None:  # fmt: skip
    """Let all readers read the chunks, `n_seq` of them at a time."""
    if base:
        # as with llama-perplexity's file: all get the tokens of the reference's vocabulary
        same = cut(base.model, text, n_ctx, name).first(n_chunks)
        cuts = [_fitting(base, reader, same) for reader in readers]
    else:
        cuts = [cut(reader.model, text, n_ctx, name).first(n_chunks) for reader in readers]
    most = max(chunks.n_chunks for chunks in cuts)
    for first in range(0, most, n_seq):
        halves = [_read(reader, chunks, first, n_seq) for reader, chunks in zip(readers, cuts, strict=True)]
        half = _read(base, same, first, n_seq) if base else None
        for number in range(first, min(first + n_seq, most)):
            rounded = _reference(base, same, number, half[number - first]) if base and half is not None else None
            for reader, chunks, rows in zip(readers, cuts, halves, strict=True):
                if number < chunks.n_chunks:
                    _score(reader, chunks, number, rows[number - first], rounded)
            if progress:
                progress(number + 1, most, _so_far(readers))
            if until is not None and number + 1 >= MIN_CHUNKS and all(_error(reader) <= until for reader in readers):
                return


def _fitting(base: Reader, reader: Reader, chunks: Chunks) -> Chunks:
    """The reference's chunks, for a reader whose vocabulary has as many tokens. Raises LlamaError for another one."""
    if reader.model.n_vocab != base.model.n_vocab:
        raise LlamaError(
            f"{reader.path} has {reader.model.n_vocab:,} tokens, the reference {base.path} has {base.model.n_vocab:,}"
        )
    return chunks


def _read(reader: Reader, chunks: Chunks, first: int, count: int) -> Halves:
    """The logits of `count` chunks, or of as many as there are."""
    count = min(count, chunks.n_chunks - first)
    return reader.read(chunks, first, count) if count > 0 else np.empty((0, 0, 0), np.float32)


def _reference(base: Reader, chunks: Chunks, number: int, rows: Rows) -> Rounded:
    base.score(rows, scored_tokens(chunks, number))
    return base.rounded(rows)


def _score(reader: Reader, chunks: Chunks, number: int, rows: Rows, rounded: Rounded | None) -> None:
    if rounded is not None:
        reader.compare(rows, scored_tokens(chunks, number), rounded)
    else:
        reader.score(rows, scored_tokens(chunks, number))


def scored_tokens(chunks: Chunks, number: int) -> Tokens:
    """The tokens whose probability counts in chunk `number`: those of its second half, but for the first of them."""
    row: Tokens = chunks.tokens[number, chunks.n_ctx // 2 + 1 :]
    return row


def _error(reader: Reader) -> float:
    if reader.compared:
        return divergence(joined(reader.compared)).kld.relative
    return perplexity(np.concatenate(reader.nll)).relative


def _so_far(readers: Sequence[Reader]) -> str:
    """The first file's figures, in a few words."""
    reader = readers[0]
    words = f"PPL {perplexity(np.concatenate(reader.nll)).value:.3f}"
    if reader.compared:
        words += f", KLD {float(np.mean([part.kld.mean(dtype=np.float64) for part in reader.compared])):.5f}"
    return words


def _notes(base: Reader | None, reader: Reader, text: bytes) -> tuple[str, ...]:
    if base is None or np.array_equal(
        base.model.tokenize(text, special=False), reader.model.tokenize(text, special=False)
    ):
        return ()
    return ("its tokenizer cuts the text in another way: it was given the tokens of the reference's",)


def _quality(reader: Reader, sizes: dict[Path, tuple[int, float]], notes: tuple[str, ...]) -> Quality:
    nll = np.concatenate(reader.nll)
    nbytes, bpw = sizes[reader.path]
    return Quality(
        reader.path, nbytes, bpw, perplexity(nll), divergence(joined(reader.compared)) if reader.compared else None,
        len(reader.nll), len(nll), reader.seconds, notes,
    )  # fmt: skip


def _size(path: Path) -> tuple[int, float]:
    """Bytes of all files of the set at `path`, and bits per weight."""
    found = read_gguf_set(path)
    tensors = [tensor for file in found.files for tensor in file.tensors]
    n_params = sum(tensor.n_params for tensor in tensors)
    data_bytes = sum(tensor.nbytes for tensor in tensors)
    nbytes = sum(file.path.stat().st_size for file in found.files)
    return nbytes, 8 * data_bytes / n_params if n_params else 0.0
