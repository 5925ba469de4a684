"""`ggufpress audit`."""

from __future__ import annotations

from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import Unpack

import click
import numpy as np

from ggufpress.auditing.attestation import statement, write_statement
from ggufpress.auditing.findings import ABOUT, TensorFinding, Verdict
from ggufpress.auditing.report import AuditReport, audit_file
from ggufpress.cli.output import print_json, print_table, say, shared_options, stderr, stdout, table
from ggufpress.cli.progress import ByteProgress
from ggufpress.cli.source_options import hub_options
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.imatrix.read import read_imatrix
from ggufpress.source.resolve import HubOptions, resolve

SHOWN = 20
STYLES = {Verdict.IDENTICAL: "green", Verdict.BUILD: "green", Verdict.DIFFERENT: "red"}


@click.command("audit")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--source",
    required=True,
    metavar="SOURCE",
    help="The checkpoint or GGUF file, also on the Hub, that it is said to come from.",
)
@click.option(
    "--imatrix", type=click.Path(path_type=Path), help="The importance matrix it was made with, if that is known."
)
@click.option(
    "--allow-key", "allowed", multiple=True, metavar="KEY", help="A key that may differ. May be given many times."
)
@click.option(
    "--attest", type=click.Path(path_type=Path), help="Also write the result as an in-toto statement (unsigned)."
)
@click.option("--force", is_flag=True, help="Replace a statement that exists.")
@hub_options
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@shared_options
@click.pass_context
def command(
    context: click.Context,
    file: Path,
    source: str,
    imatrix: Path | None,
    allowed: tuple[str, ...],
    attest: Path | None,
    force: bool,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    **options: Unpack[HubOptions],
) -> None:
    """Say whether the GGUF file FILE, made by whoever with llama.cpp, really comes from SOURCE. Writes nothing.

    Each tensor is made anew in the type it has and is identical; the same up to another build of llama.cpp; consistent with
    an importance matrix that is not known; or not derived from this source, with its worst weights. Keys count too: an
    edited chat template is found. Exit code 0 where FILE is proven, 1 where it is not derived, 5 where neither is proven.

    \b
    ggufpress audit theirs-Q4_K_M.gguf --source TinyLlama-1.1B-Chat-v1.0
    ggufpress audit theirs-IQ2_M.gguf --source TinyLlama-1.1B-Chat-v1.0 --imatrix imatrix.gguf --attest audit.json
    """
    found = read_gguf_set(file)
    options["say"] = None if quiet else say
    against = resolve(source, **options)
    importance = read_imatrix(imatrix) if imatrix is not None else None
    with ExitStack() as stack:
        total, n = sum(ref.nbytes for ref in found.tensors), len(found.tensors)
        bar = stack.enter_context(ByteProgress("auditing", total, n)) if not (quiet or as_json) else None
        report = audit_file(
            found, against, importance, allowed_keys=allowed, threads=threads, progress=bar.advance if bar else None
        )
    if attest is not None:
        write_statement(attest, statement(report, threads), force=force)
    if as_json:
        print_json(report.to_json())
    elif quiet:
        click.echo(report.verdict.value)
    else:
        show(report)
    if report.exit_code:
        context.exit(report.exit_code)


def show(report: AuditReport) -> None:
    """Print the audit for a person."""
    console, talk = stdout(), stderr()
    looks = f", types as {report.mix}" if report.mix else ""
    console.print(f"{report.path}{looks}, against {report.source}\n", markup=False)
    rows = [(str(count), verdict.value, ABOUT[verdict]) for verdict, count in report.counts.items()]
    print_table(table(("tensors", "are", ""), rows, right=(0,), fold=2))
    near = [tensor for tensor in report.tensors if tensor.verdict is Verdict.BUILD]
    if near:
        blocks, total = sum(t.n_differ for t in near), sum(t.n_blocks for t in near)
        apart = max(t.apart for t in near)
        console.print(
            f"\nanother build: {blocks:,} of {total:,} blocks in {len(near)} tensors, at most {apart:.2g} steps apart"
        )
    vias = {tensor.via.name for tensor in report.tensors if tensor.qtype.quantized} - {"F32"}
    if vias and not report.model.stored:
        console.print(f"made through a file in {' and '.join(sorted(vias))}", markup=False)
    bad = [tensor for tensor in report.tensors if tensor.verdict in (Verdict.DIFFERENT, Verdict.UNCHECKED)]
    for tensor in sorted(bad, key=lambda tensor: -tensor.verdict.rank)[:SHOWN]:
        show_tensor(tensor)
    if len(bad) > SHOWN:
        console.print(f"and {len(bad) - SHOWN} more tensors", style="red", markup=False)
    for key in report.keys:
        label, style = ("fault", "red") if key.is_fault else ("note", "yellow")
        console.print(f"{label}: {key.kind}: {key.key}: {key.about}", style=style, markup=False)
    for fault in report.faults[:SHOWN]:
        console.print(f"fault: {fault}", style="red", markup=False)
    if len(report.faults) > SHOWN:
        console.print(f"and {len(report.faults) - SHOWN} more faults", style="red", markup=False)
    talk.print(f"{report.path}: {report.verdict.value}", style=STYLES.get(report.verdict, "yellow"), markup=False)


def show_tensor(tensor: TensorFinding) -> None:
    """Print what is wrong with one tensor, with its worst weights."""
    console = stdout()
    what = "blocks" if tensor.qtype.quantized else "weights"
    console.print(
        f"fault: {tensor.name} ({tensor.qtype}): {tensor.why}; {tensor.n_wrong:,} of {tensor.n_blocks:,} {what}", style="red",
        markup=False,
    )  # fmt: skip
    for weight in tensor.worst:
        place = [int(i) for i in np.unravel_index(weight.index, tensor.shape)]
        off = f", {weight.off:.3g} steps" if tensor.qtype.quantized and isfinite(weight.off) else ""
        console.print(f"    {place}: {weight.file:.6g}, the source says {weight.source:.6g}{off}", markup=False)
