"""`ggufpress verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from ggufpress.cli.output import print_json, print_table, say, shared_options, stderr, stdout, table
from ggufpress.cli.source_options import hub_options
from ggufpress.proof.against import Comparison
from ggufpress.proof.report import VerifyReport, verify_file
from ggufpress.provenance.manifests import read_manifest
from ggufpress.source.resolve import HubOptions, resolve


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--against", metavar="SOURCE", help="Also compare every tensor with this checkpoint or GGUF file.")
@click.option(
    "--manifest",
    type=click.Path(path_type=Path),
    help="Also compare every byte with this manifest's hashes, by tensor.",
)
@hub_options
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@shared_options
@click.pass_context
def command(
    context: click.Context,
    file: Path,
    against: str | None,
    manifest: Path | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    **options: Unpack[HubOptions],
) -> None:
    """Check the GGUF file FILE: structure, blocks and, with --against, the error of every tensor, worst first.

    With --manifest, which `quantize --manifest` writes, a file that was downloaded is proven to be the one that was made,
    whatever it is called now. Of a shard the whole set is checked. Exit code 1 where something is wrong.

    \b
    ggufpress verify downloaded-Q4_K_M.gguf --manifest TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf.manifest.json
    ggufpress verify TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf --against TinyLlama-1.1B-Chat-v1.0
    """
    options["say"] = None if quiet else say
    report = verify_file(
        file,
        resolve(against, **options) if against is not None else None,
        threads,
        read_manifest(manifest) if manifest is not None else None,
    )
    if as_json:
        print_json(report.to_json())
    elif not quiet:
        show(report)
    if not report.ok:
        context.exit(1)


def show(report: VerifyReport) -> None:
    """Print the report for a person."""
    console, talk = stdout(), stderr()
    if report.comparison:
        show_comparison(report.comparison)
    for fault in report.faults:
        console.print(f"fault: {fault}", style="red", markup=False)
    checked = "structure and blocks"
    checked += ", every tensor against its source" if report.comparison else ""
    checked += f", every byte against {report.manifest.name}" if report.manifest else ""
    if report.ok:
        shards = f"{report.n_files} shards, " if report.n_files > 1 else ""
        talk.print(f"{report.path}: ok: {shards}{report.n_tensors} tensors, {report.file_bytes:,} bytes; {checked}",
                   style="green", markup=False)  # fmt: skip
    else:
        talk.print(f"{report.path}: something is wrong; checked {checked}", style="red", markup=False)


def show_comparison(comparison: Comparison) -> None:
    """Print the errors of the tensors, worst first, and the names that do not match."""
    console = stdout()
    rows = [
        (error.name, error.qtype.name, f"{error.rmse:.3e}", f"{error.relative:.3%}", f"{error.worst:.3e}",
         "" if error.ok else f"row {error.row}: {error.excess:.2g} times what {error.qtype} explains")
        for error in comparison.errors
    ]  # fmt: skip
    columns = ("tensor", "type", "RMSE", "of RMS", "largest error", "")
    print_table(table(columns, rows, title="Error against the source, worst first", right=(2, 3, 4)))
    for names, what in (
        (comparison.missing, "missing: the source has it"),
        (comparison.unexpected, "the source has no such tensor"),
        (comparison.reshaped, "its shape is not the source's"),
    ):
        for name in names:
            console.print(f"fault: {name}: {what}", style="red", markup=False)
