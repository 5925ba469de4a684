"""`ggufpress archs`."""

from __future__ import annotations

import click

from ggufpress.arch.supported import Supported, supported
from ggufpress.cli.output import print_json, print_table, shared_options, stderr, table
from ggufpress.errors import UsageError


@click.command("archs")
@click.argument("name", required=False, default="")
@shared_options
def command(name: str, as_json: bool, quiet: bool) -> None:
    """List the model classes that can be converted, or those with NAME in class or architecture.

    \b
    ggufpress archs
    ggufpress archs qwen
    """
    found = [row for row in supported() if _has(row, name.lower())]
    if not found:
        raise UsageError(
            f"no supported class or architecture has {name!r} in its name", hint="ggufpress archs lists all"
        )
    if as_json:
        print_json([row.to_json() for row in found])
    elif quiet:
        click.echo("\n".join(row.hf_class for row in found))
    else:
        rows = [(row.hf_class, ", ".join(row.architectures), ", ".join(row.tokenizers), tested(row)) for row in found]
        columns = ("class in config.json", "architecture", "tokenizer", "tested by")
        print_table(table(columns, rows, title="What can be converted"))
        stderr().print(f"{len(found)} classes", style="dim", markup=False)


def tested(row: Supported) -> str:
    """The cases, or that there is none for this very class."""
    return ", ".join(row.cases) or f"classes with its rules ({row.family})"


def _has(row: Supported, name: str) -> bool:
    return any(name in text.lower() for text in (row.hf_class, *row.architectures))
