"""What `split` and `merge` show."""

from __future__ import annotations

from contextlib import ExitStack

import click

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import print_json, print_table, stderr, table
from ggufpress.cli.progress import ByteProgress
from ggufpress.shards.copying import CopyReport, copy
from ggufpress.shards.planning import SplitPlan


def copy_and_show(plan: SplitPlan, doing: str, *, force: bool, as_json: bool, quiet: bool) -> None:
    """Carry out `plan` and print what it made. `doing` stands before the progress bar."""
    talk = not quiet and not as_json
    if talk:
        for note in plan.notes:
            stderr().print(f"note: {note}", style="yellow", markup=False)
    with ExitStack() as stack:
        progress = ByteProgress(doing, plan.data_bytes, len(plan.source.tensors)) if talk else None
        if progress:
            stack.enter_context(progress)
        report = copy(plan, force=force, progress=progress.advance if progress else None)
    if as_json:
        print_json(report.to_json())
    elif quiet:
        for file in report.files:
            click.echo(str(file.path))
    else:
        show(report)


def show(report: CopyReport) -> None:
    """Print the table of results."""
    rows = [(file.path.name, str(file.n_tensors), human_bytes(file.nbytes)) for file in report.files]
    print_table(table(("file", "tensors", "size"), rows, right=(1, 2)))
    # as sha256sum writes and checks them
    click.echo("\nsha256")
    for file in report.files:
        click.echo(f"{file.sha256}  {file.path}")
    stderr().print(f"verified and done in {report.seconds:.1f} s", style="green", markup=False)


def show_plan(plan: SplitPlan, *, quiet: bool) -> None:
    """Print the files that a plan would make."""
    if quiet:
        for file in plan.files:
            click.echo(f"{file.path}\t{file.file_bytes}")
        return
    rows = [(str(file.path), str(len(file.tensors)), human_bytes(file.file_bytes)) for file in plan.files]
    print_table(table(("file", "tensors", "size"), rows, right=(1, 2)))
