"""`ggufpress imatrix`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ggufpress.amounts import human_count
from ggufpress.cli.output import print_json, print_table, shared_options, stderr, table
from ggufpress.cli.progress import StepProgress
from ggufpress.errors import OutputError
from ggufpress.imatrix.make import BATCH, Settings, make_matrix, partial_path, write_matrix
from ggufpress.imatrix.matrix import ImportanceMatrix
from ggufpress.imatrix.read import read_imatrix
from ggufpress.imatrix.statistics import EntryStatistics, statistics
from ggufpress.imatrix.sums import Collected, loaded, merged
from ggufpress.llama.library import library
from ggufpress.llama.runnable import runnable
from ggufpress.quality.chunks import read_text
from ggufpress.recipe.names import quantizer_order
from ggufpress.texts import CALIBRATION

COLUMNS = ("tensor", "numbers", "experts", "counts", "energy", "min", "max", "mean", "sd", "active", "evenness", "outliers",
           "similarity")  # fmt: skip


OUTPUT = Path("imatrix.gguf")


@click.group("imatrix")
def command() -> None:
    """Make importance matrices, put them together and look into them, as llama-imatrix does."""


@command.command("make")
@click.argument("source")
@click.option("--text", type=click.Path(path_type=Path), help="What the model reads.  [default: a bundled text, 96 kB]")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=OUTPUT, show_default=True,
              help="The file to write; the older format where it ends in .dat.")  # fmt: skip
@click.option("--chunks", type=click.IntRange(1), help="Read only so many chunks.  [default: the whole text]")
@click.option("--from-chunk", type=click.IntRange(0), default=0, help="Leave out so many chunks at the beginning.")
@click.option("--ctx", type=click.IntRange(8), default=512, show_default=True, help="Tokens of a chunk.")
@click.option("--batch", type=click.IntRange(1), default=BATCH, show_default=True,
              help="Tokens read together. Less takes less memory; the last digits may change.")  # fmt: skip
@click.option("--process-output", is_flag=True, help="Also measure output.weight.")
@click.option("--parse-special", is_flag=True, help="Names of special tokens in the text are those tokens.")
@click.option("--merge", "merge", type=click.Path(path_type=Path), multiple=True, metavar="MATRIX",
              help="Add to this matrix of the same model, of another text. May be given many times.")  # fmt: skip
@click.option("--restart", is_flag=True, help="Begin anew where a run was stopped, instead of going on.")
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="Folder for the temporary file that a checkpoint becomes.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@shared_options
def make_command(
    source: str, text: Path | None, output: Path, chunks: int | None, from_chunk: int, ctx: int, batch: int,
    process_output: bool, parse_special: bool, merge: tuple[Path, ...], restart: bool, threads: int | None,
    work: Path | None, force: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Make an importance matrix of SOURCE, a checkpoint's folder or a GGUF file, by letting it read a text.

    The numbers are llama-imatrix's. What is done is kept in FILE.partial, and a run that was stopped goes on there.
    Needs an installed llama.cpp: pip install "ggufpress[run]".

    \b
    ggufpress imatrix make TinyLlama-1.1B-Chat-v1.0 --text calibration.txt -o imatrix.gguf
    """
    library()
    if output.exists() and not force:
        raise OutputError(f"{output} exists already", hint="--force replaces it")
    said, name = read_text(text or CALIBRATION), str(text or CALIBRATION.name)
    before = [loaded(read_imatrix(path), ctx) for path in merge]
    talk = not as_json and not quiet
    settings = Settings(ctx, chunks, from_chunk, batch, process_output, parse_special, threads)
    partial = partial_path(output)
    if restart:
        partial.unlink(missing_ok=True)
    with ExitStack() as stack:
        file = stack.enter_context(runnable(source, work, _note if talk else _nothing))
        progress = stack.enter_context(StepProgress("reading chunks")) if talk else None
        made = make_matrix(
            file, said, name, partial, settings=settings, before=before, progress=progress.at if progress else None
        )
    write_matrix(made.collected, output, force=force)
    partial.unlink(missing_ok=True)
    written(made.collected, output, as_json, quiet)
    if talk and made.n_resumed:
        _note(f"{made.n_resumed} chunks were read in an earlier run")


@command.command("merge")
@click.argument("matrices", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), default=OUTPUT, show_default=True,
              help="The file to write; the older format where it ends in .dat.")  # fmt: skip
@click.option("--ctx", type=click.IntRange(8), help="Tokens of a chunk.  [default: the first matrix's, or 512]")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@shared_options
def merge_command(
    matrices: tuple[Path, ...], output: Path, ctx: int | None, force: bool, as_json: bool, quiet: bool
) -> None:
    """Add up importance matrices of one model, made of different texts. One alone is written in another format.

    \b
    ggufpress imatrix merge english.gguf code.gguf -o imatrix.gguf
    """
    read = [read_imatrix(path) for path in matrices]
    chunk_size = ctx or next((matrix.chunk_size for matrix in read if matrix.chunk_size), 512)
    collected = merged([loaded(matrix, chunk_size) for matrix in read], chunk_size)
    write_matrix(collected, output, force=force)
    written(collected, output, as_json, quiet)


def written(collected: Collected, path: Path, as_json: bool, quiet: bool) -> None:
    """Say what was written."""
    if as_json or not quiet:
        matrix = read_imatrix(path)
    if as_json:
        print_json({**to_json(matrix, list(statistics(matrix))), "idle_experts": collected.idle})
    elif quiet:
        click.echo(str(path))
    else:
        values = human_count(sum(entry.values.size for entry in collected.entries.values()))
        line = f"{path}: {len(collected.entries)} tensors, {values} numbers, {matrix.chunk_count} chunks"
        stderr().print(line, style="green", markup=False)
        if collected.idle:
            count, first = sum(collected.idle.values()), next(iter(collected.idle))
            _note(f"{count} experts were never chosen, the first in {first}: a longer text reaches more")


def _note(text: str) -> None:
    stderr().print(f"note: {text}", style="yellow", markup=False)


def _nothing(text: str) -> None:
    pass


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@shared_options
def show_command(file: Path, as_json: bool, quiet: bool) -> None:
    """Show what the importance matrix FILE holds: coverage per tensor and expert, energy, statistics.

    \b
    ggufpress imatrix show imatrix.gguf
    """
    matrix = read_imatrix(file)
    found = {item.name: item for item in statistics(matrix)}
    rows = [found[name] for name in quantizer_order(found)]
    if as_json:
        print_json(to_json(matrix, rows))
    elif quiet:
        for name in quantizer_order(found):
            click.echo(name)
    else:
        show(matrix, rows)
    for item in rows:
        if not item.finite:
            stderr().print(f"not finite: {item.name}: llama-quantize refuses the file", style="red", markup=False)


def to_json(matrix: ImportanceMatrix, rows: list[EntryStatistics]) -> dict[str, Any]:
    """Everything about a matrix as plain data."""
    return {
        "path": str(matrix.path),
        "format": matrix.format,
        "datasets": [dataset.decode("utf-8", "replace") for dataset in matrix.datasets],
        "chunks": matrix.chunk_count,
        "chunk_size": matrix.chunk_size,
        "entries": [item.to_json() for item in rows],
    }


def show(matrix: ImportanceMatrix, rows: list[EntryStatistics]) -> None:
    """Print the matrix for a person."""
    print_table(table(COLUMNS, [_cells(item) for item in rows], title=str(matrix.path), right=range(1, len(COLUMNS))))
    datasets = ", ".join(dataset.decode("utf-8", "replace") for dataset in matrix.datasets) or "no data set named"
    tokens = f" of {matrix.chunk_size} tokens" if matrix.chunk_size else ""
    values = human_count(sum(item.n_values for item in rows))
    click.echo(f"\n{len(rows)} tensors, {values} numbers, {matrix.chunk_count} chunks{tokens}, {datasets}")
    idle = [item for item in rows if item.covered < item.experts]
    if idle:
        missing, first = sum(item.experts - item.covered for item in idle), idle[0]
        click.echo(
            f"{missing} experts in {len(idle)} tensors were never chosen, so their columns weigh 1: the first in {first.name}"
        )


def _cells(item: EntryStatistics) -> tuple[str, ...]:
    experts = f"{item.covered}/{item.experts}" if item.experts > 1 else "-"
    low, high = item.counts
    counts = str(low) if low == high else f"{low}-{high}"
    return (
        item.name,
        str(item.n_values),
        experts,
        counts,
        *(_number(value) for value in (item.energy, item.smallest, item.largest, item.mean, item.deviation)),
        *(_percent(value) for value in (item.active, item.evenness, item.outliers)),
        "-" if item.similarity is None else f"{item.similarity:.4f}",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
