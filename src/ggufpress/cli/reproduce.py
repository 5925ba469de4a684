"""`ggufpress reproduce`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Unpack

import click

from ggufpress.cli.output import print_json, say, shared_options, stderr, stdout
from ggufpress.cli.progress import ByteProgress
from ggufpress.cli.quantize import ByteCount
from ggufpress.cli.source_options import hub_options
from ggufpress.execute.pipeline import MEMORY
from ggufpress.provenance.reproduction import Reproduction, reproduce_file
from ggufpress.source.resolve import HubOptions

SHOWN = 20


@click.command("reproduce")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--source", help="The source.  [default: what has its name here or beside it]")
@click.option("--imatrix", type=click.Path(path_type=Path), help="The importance matrix.  [default: likewise]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Keep the file that is made.  [default: it is removed]"
)
@click.option("--force", is_flag=True, help="Replace an output that exists.")
@hub_options
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@click.option("--memory", type=ByteCount(), default=MEMORY, help="Budget for buffers.  [default: 256M]")
@shared_options
@click.pass_context
def command(
    context: click.Context,
    manifest: Path,
    source: str | None,
    imatrix: Path | None,
    output: Path | None,
    force: bool,
    threads: int | None,
    memory: int,
    as_json: bool,
    quiet: bool,
    **options: Unpack[HubOptions],
) -> None:
    """Make the file that MANIFEST tells of again, from its source, and prove that every byte is the same.

    The folder may be called otherwise than it was. Exit code 1 where a byte differs; what may be the cause is said too:
    other files in the source, other versions.

    \\b
    ggufpress reproduce TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf.manifest.json --source TinyLlama-1.1B-Chat-v1.0
    """
    options["say"] = None if quiet else say
    with ExitStack() as stack:
        bar = stack.enter_context(ByteProgress("making it again", None, 0)) if not (quiet or as_json) else None
        found = reproduce_file(
            manifest, source, imatrix, output, force=force, threads=threads, memory=memory,
            progress=bar.advance if bar else None, **options,
        )  # fmt: skip
    if as_json:
        print_json(found.to_json())
    elif quiet:
        for name, digest in found.files:
            click.echo(f"{digest}  {name}")
    else:
        show(found)
    if not found.equal:
        context.exit(1)


def show(found: Reproduction) -> None:
    """Print the result for a person."""
    console, talk = stdout(), stderr()
    for line in found.differences[:SHOWN]:
        console.print(f"other: {line}", style="red", markup=False)
    if len(found.differences) > SHOWN:
        console.print(f"and {len(found.differences) - SHOWN} more", style="red", markup=False)
    for line in found.notes:
        console.print(f"note: {line}", style="yellow", markup=False)
    if found.equal:
        for _, digest in found.files:
            console.print(digest, markup=False)
        talk.print(f"{found.manifest.name}: reproduced: every byte is the same", style="green", markup=False)
    else:
        talk.print(f"{found.manifest.name}: not reproduced: the bytes differ", style="red", markup=False)
