"""How results are shown: tables for people, JSON for programs, or only the essential with --quiet."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Function = TypeVar("Function", bound=Callable[..., Any])


def shared_options(function: Function) -> Function:
    """Add --json and --quiet, which every command has."""
    function = click.option("--quiet", is_flag=True, help="Print only the essential: paths, or nothing.")(function)
    return click.option("--json", "as_json", is_flag=True, help="Print everything as JSON on standard output.")(
        function
    )


def stdout() -> Console:
    """Where data goes. Wide tables are not cut where nobody watches."""
    return _console(sys.stdout, stderr=False)


def stderr() -> Console:
    """Where talk goes."""
    return _console(sys.stderr, stderr=True)


class _Pipe(Console):
    """A console that does not end the process with a failure when its reader goes away, as `| head` does."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command line's own handling."""
        raise BrokenPipeError


def _console(stream: Any, *, stderr: bool) -> Console:
    width = None if stream.isatty() else 160
    return _Pipe(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def say(text: str) -> None:
    """Tell a person what takes long, on standard error."""
    stderr().print(f"note: {text}", style="yellow", markup=False)


def print_table(made: Table) -> None:
    """Write a table to standard output. One that is wider than the terminal wraps line by line and loses nothing."""
    console = stdout()
    folds = any(not column.no_wrap for column in made.columns)
    if not folds:
        console.width = max(
            console.width, made.__rich_measure__(console, console.options.update(max_width=10_000)).maximum
        )
    console.print(made)


def print_json(data: Any) -> None:
    """Write `data` as JSON to standard output."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str | None = None,
    right: Sequence[int] = (),
    fold: int | None = None,
) -> Table:
    """A table without frames. Columns in `right` are aligned to the right, the column `fold` may take several lines."""
    made = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), header_style="dim"
    )
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if number in right else "left"
        # stated, for measuring each cell again takes longer than printing it
        width = None if number == fold else max(map(cell_len, (column, *(row[number] for row in rows))))
        made.add_column(column, justify=justify, no_wrap=number != fold, overflow="fold", width=width)
    for row in rows:
        # plain text: a name with brackets is no markup
        made.add_row(*(Text(cell) for cell in row))
    return made
