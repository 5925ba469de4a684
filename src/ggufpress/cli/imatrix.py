"""`ggufpress imatrix`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ggufpress.amounts import human_count
from ggufpress.cli.output import print_json, print_table, shared_options, stderr, table
from ggufpress.imatrix.matrix import ImportanceMatrix
from ggufpress.imatrix.read import read_imatrix
from ggufpress.imatrix.statistics import EntryStatistics, statistics
from ggufpress.recipe.names import quantizer_order

COLUMNS = ("tensor", "numbers", "experts", "counts", "energy", "min", "max", "mean", "sd", "active", "evenness", "outliers",
           "similarity")  # fmt: skip


@click.group("imatrix")
def command() -> None:
    """Look into importance matrices, as llama-imatrix writes them."""


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
