"""`ggufpress compare`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Unpack

import click

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import print_json, print_table, say, shared_options, stderr, stdout, table
from ggufpress.cli.progress import ByteProgress
from ggufpress.cli.source_options import hub_options
from ggufpress.comparison.errors import TensorDifference
from ggufpress.comparison.report import FileComparison, compare_sources
from ggufpress.comparison.summary import Group, by_layer, by_role
from ggufpress.errors import UsageError
from ggufpress.plots.comparison import comparison_plot, write_plot
from ggufpress.quant.types import QType
from ggufpress.source.resolve import HubOptions, resolve

WORST = 15
"""Tensors that are listed unless all are asked for."""


@click.command("compare")
@click.argument("left", metavar="A")
@click.argument("right", metavar="B")
@click.option("--all", "every", is_flag=True, help=f"List every tensor that differs, not only the {WORST} worst.")
@click.option(
    "--plot",
    metavar="FILE.svg",
    type=click.Path(path_type=Path),
    help="Also draw the errors by layer and role, and the types.",
)
@click.option("--force", is_flag=True, help="Replace a picture that exists.")
@hub_options
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@shared_options
@click.pass_context
def command(
    context: click.Context,
    left: str,
    right: str,
    every: bool,
    plot: Path | None,
    force: bool,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    **options: Unpack[HubOptions],
) -> None:
    """Compare the GGUF files A and B, or a GGUF file and the checkpoint it was made from: keys, tensors, types, weights.

    What it comes to is said first. Either may be a shard of a set. Errors are those of B against A.
    Exit code 0 where both are equal, 1 where they are not.

    \b
    ggufpress compare mine-Q4_K_M.gguf theirs-Q4_K_M.gguf
    ggufpress compare TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf TinyLlama-1.1B-Chat-v1.0 --plot errors.svg
    """
    if plot is not None and plot.suffix != ".svg":
        raise UsageError(f"--plot {plot} is no .svg file: pictures are drawn as SVG")
    options["say"] = None if quiet else say
    sources = resolve(left, **options), resolve(right, **options)
    with ExitStack() as stack:
        bar = stack.enter_context(ByteProgress("comparing", None, 0)) if not (quiet or as_json) else None
        found = compare_sources(*sources, threads, bar.advance if bar else None)
    if plot is not None:
        write_plot(plot, comparison_plot(found), force=force)
        if not quiet:
            stderr().print(f"drawn: {plot}", markup=False)
    if as_json:
        print_json(found.to_json())
    elif quiet:
        for clause in found.verdict:
            click.echo(clause)
    else:
        show(found, every=every)
    if not found.equal:
        context.exit(1)


def show(found: FileComparison, *, every: bool = False) -> None:
    """Print the comparison for a person: the verdict, then what it rests on."""
    console = stdout()
    console.print(f"A: {found.left.path}\nB: {found.right.path}\n", markup=False)
    for clause in found.verdict:
        console.print(f"* {clause}", style="green" if found.equal else "", markup=False)
    show_keys(found)
    differing = sorted((t for t in found.tensors if not t.same_bytes), key=lambda t: -_known(t.relative))
    if differing:
        print_groups("By role", by_role(found.tensors))
        print_groups("By layer", by_layer(found.tensors))
        print_tensors(differing if every else differing[:WORST], len(differing))
    for names, which in ((found.removed, "A"), (found.added, "B")):
        for name in names:
            console.print(f"only in {which}: {name}", style="red", markup=False)
    for name, ours, theirs in found.reshaped:
        console.print(f"other shape: {name}: {list(ours)} -> {list(theirs)}", style="red", markup=False)
    sizes = " -> ".join(human_bytes(side.data_bytes) for side in (found.left, found.right))
    same = sum(tensor.same_bytes for tensor in found.tensors)
    console.print(f"\n{same} of {len(found.tensors)} tensors have the same bytes; {sizes} of tensors", markup=False)


def show_keys(found: FileComparison) -> None:
    """Print the keys that differ."""
    rows = [(change.key, "changed", change.about) for change in found.keys.changed]
    rows += [(key.key, "only in A", key.text) for key in found.keys.removed]
    rows += [(key.key, "only in B", key.text) for key in found.keys.added]
    if rows:
        print()
        title = f"Keys: {found.keys.same} are the same, {len(rows)} are not"
        print_table(table(("key", "", "value"), rows, title=title, fold=2))


def print_groups(title: str, groups: Sequence[Group]) -> None:
    """Print the errors of layers or roles."""
    rows = [
        (
            group.name,
            f"{group.n_differing}/{group.n_tensors}",
            *_numbers(group),
            _types(group.left),
            _types(group.right),
        )
        for group in groups
    ]
    columns = ("", "differ", "RMSE", "of RMS", "largest", "1 - cosine", "A", "B")
    stdout().print()
    print_table(table(columns, rows, title=title, right=(1, 2, 3, 4, 5)))


def print_tensors(tensors: Sequence[TensorDifference], n: int) -> None:
    """Print tensors that differ."""
    rows = [
        (tensor.name, f"{tensor.left} -> {tensor.right}" if tensor.left is not tensor.right else tensor.left.name,
         *_numbers(tensor), f"{tensor.differing_blocks:,} of {tensor.n_blocks:,}" if tensor.differing_blocks else "")
        for tensor in tensors
    ]  # fmt: skip
    which = f"the {len(rows)} worst of {n}; --all lists them" if len(rows) < n else str(n)
    columns = ("tensor", "type", "RMSE", "of RMS", "largest", "1 - cosine", "blocks")
    stdout().print()
    print_table(table(columns, rows, title=f"Tensors that differ: {which}", right=(2, 3, 4, 5, 6)))


def _numbers(item: Group | TensorDifference) -> tuple[str, str, str, str]:
    angle = f"{max(0.0, 1 - item.cosine):.1e}" if isfinite(item.cosine) else "?"
    return f"{item.rmse:.3e}", f"{item.relative:.3%}", f"{item.worst:.3e}", angle


def _types(types: Sequence[tuple[QType, int]]) -> str:
    return ", ".join(f"{count} {qtype}" for qtype, count in types)


def _known(number: float) -> float:
    # a NaN is worse than anything
    return inf if isnan(number) else number
