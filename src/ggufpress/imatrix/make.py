"""Making an importance matrix from a text: the model reads it, and what its matrices are multiplied with is summed up.

What is done so far is kept in a file beside the output, so that a run that was stopped goes on where it was. The result is
the same as of one that was not.
Source: llama.cpp of llama-cpp-python 0.3.36, tools/imatrix/imatrix.cpp (`compute_imatrix`, `main`).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ggufpress.errors import GgufError, ImatrixError, LlamaError, OutputError, UsageError
from ggufpress.execute.partfile import PartFile
from ggufpress.files import reason
from ggufpress.gguf.reader import read_gguf
from ggufpress.gguf.values import Metadata, text, u32
from ggufpress.imatrix.collect import Collector
from ggufpress.imatrix.read import read_imatrix
from ggufpress.imatrix.sums import Collected, Sums, dat_bytes, gguf_bytes, loaded, merged, with_dataset
from ggufpress.llama.context import Context
from ggufpress.llama.model import Model
from ggufpress.quality.chunks import Chunks, cut

Progress = Callable[[int, int, str], None]

BATCH = 2048
"""Tokens read together, llama-imatrix's default: sums are added in the order that follows from it."""
KEEP_EVERY = 10
"""Batches after which what is done so far is kept."""
RUN, DONE = "ggufpress.imatrix.run", "ggufpress.imatrix.done"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a text is read."""

    n_ctx: int = 512
    n_chunks: int | None = None
    skip: int = 0
    batch: int = BATCH
    process_output: bool = False
    parse_special: bool = False
    n_threads: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: the matrix, how many chunks were read in this run, and how many earlier."""

    collected: Collected
    n_read: int
    n_resumed: int


def make_matrix(
    model_path: Path,
    data: bytes,
    text_name: str,
    partial: Path | None,
    *,
    settings: Settings | None = None,
    before: Sequence[Collected] = (),
    progress: Progress | None = None,
) -> Made:
    """The importance matrix of the model at `model_path` for the text `data`, added to those `before`.

    partial: where to keep what is done so far; where it holds the beginning of this very run, that is not done again.
    Raises LlamaError, InputError for too short a text, ImatrixError.
    """
    use = settings or Settings()
    n_seq = max(1, use.batch // use.n_ctx)
    with Model(model_path) as model:
        if model.vocab_fact("get_add_eos") or model.fact("has_encoder"):
            raise LlamaError(f"{model_path} is a model that does not go on with a text: importance is not measured")
        chunks = _chunks(model, data, text_name, use)
        collector = Collector(model.library, process_output=use.process_output)
        run = _name_of_run(model_path, chunks, use, before)
        done = 0
        if partial is not None and (kept := _kept(partial, run, use.n_ctx)) is not None:
            done, collector.entries = kept
        else:
            collector.entries = {
                name: Sums(entry.values.copy(), entry.counts.copy())
                for name, entry in merged(before, use.n_ctx).entries.items()
            }
        resumed = done
        with Context(model, use.n_ctx, n_seq=n_seq, n_threads=use.n_threads, watcher=collector.watch) as context:
            for number, first in enumerate(range(done, chunks.n_chunks, n_seq), 1):
                count = min(n_seq, chunks.n_chunks - first)
                _read(context, chunks, first, count)
                done = first + count
                if progress:
                    progress(done, chunks.n_chunks, f"{len(collector.entries)} tensors")
                if partial is not None and number % KEEP_EVERY == 0 and done < chunks.n_chunks:
                    so_far = Collected(collector.entries, (), use.n_ctx)
                    _replace(partial, gguf_bytes(so_far, {RUN: text(run), DONE: u32(done)}))
    if not collector.entries:
        raise ImatrixError(f"{model_path} has no matrix whose importance could be measured")
    datasets = merged(before, use.n_ctx).datasets
    collected = with_dataset(Collected(collector.entries, datasets, use.n_ctx), Path(text_name).name.encode())
    return Made(collected, done - resumed, resumed)


def write_matrix(collected: Collected, path: Path, *, force: bool = False) -> None:
    """Write the matrix: in the older format where the name ends in .dat, else as GGUF. It appears when it is complete.

    Raises OutputError where the file exists and not `force`, or cannot be written.
    """
    data = dat_bytes(collected) if path.suffix == ".dat" else gguf_bytes(collected)
    with PartFile(path, len(data), force=force) as part:
        part.reserve()
        part.write_at(0, data)
        part.sync()
        part.commit()


def partial_path(path: Path) -> Path:
    """Where what is done so far of the matrix at `path` is kept."""
    return path.with_name(path.name + ".partial")


def _chunks(model: Model, data: bytes, name: str, use: Settings) -> Chunks:
    if use.n_ctx < 8:
        raise UsageError(f"--ctx {use.n_ctx} is too few tokens", hint="8 or more")
    chunks = cut(model, data, use.n_ctx, name, special=use.parse_special)
    if use.skip and use.skip + 2 > chunks.n_chunks:
        raise UsageError(f"--from-chunk {use.skip} leaves fewer than two of the {chunks.n_chunks} chunks of {name}")
    return Chunks(chunks.tokens[use.skip :], chunks.bos).first(use.n_chunks)


def _read(context: Context, chunks: Chunks, first: int, count: int) -> None:
    """Let the model read chunks. All logits are asked for: the last layer leaves out what nobody asks for."""
    tokens = chunks.read(first, count)
    context.forget()
    context.decode(
        tokens.reshape(-1),
        seq=np.repeat(np.arange(count, dtype=np.int32), chunks.n_ctx),
        positions=np.tile(np.arange(chunks.n_ctx, dtype=np.int32), count),
        wanted=np.ones(tokens.size, np.int8),
    )


def _name_of_run(path: Path, chunks: Chunks, use: Settings, before: Sequence[Collected]) -> str:
    """A hash that changes with everything that the sums depend on, but for the weights' own bytes."""
    status = path.stat()
    hashed = hashlib.sha256(chunks.tokens.tobytes())
    facts = (chunks.tokens.shape, chunks.bos, status.st_size, status.st_mtime_ns, use.batch, use.process_output)
    hashed.update(repr(facts).encode())
    for part in before:
        hashed.update(gguf_bytes(part))
    return hashed.hexdigest()


def _kept(partial: Path, run: str, n_ctx: int) -> tuple[int, dict[str, Sums]] | None:
    """How many chunks the file holds, and their sums; None where it is of another run, or of none."""
    if not partial.exists():
        return None
    with contextlib.suppress(ImatrixError, GgufError):
        keys: Metadata = read_gguf(partial).metadata
        done = keys[DONE].data if DONE in keys else None
        if RUN in keys and keys[RUN].data == run and isinstance(done, int):
            found = loaded(read_imatrix(partial), n_ctx).entries
            return done, {name: Sums(entry.values.copy(), entry.counts) for name, entry in found.items()}
    return None


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise OutputError(f"{fresh} cannot be written: {reason(error)}") from error
