"""`ggufpress plan`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import click
from rich.table import Table

from ggufpress.amounts import human_bytes, human_count
from ggufpress.cli.container_options import container_options
from ggufpress.cli.fetching import fetching
from ggufpress.cli.output import print_json, print_table, say, shared_options, stderr, stdout, table
from ggufpress.cli.quantize import about_importance
from ggufpress.cli.recipe_options import imatrix_options, recipe_options
from ggufpress.cli.source_options import source_options
from ggufpress.footprint import CONTEXT, footprints
from ggufpress.planning import OutputPlan, Plan
from ggufpress.planning.explain import Explanation, explain
from ggufpress.planning.request import PlanOptions
from ggufpress.planning.request import plan as requested


@click.command("plan")
@source_options
@imatrix_options
@recipe_options
@container_options
@click.option(
    "--why", metavar="TENSOR", multiple=True, help="Show which rules were asked about TENSOR and what they said."
)
@shared_options
def command(
    source: str,
    types: tuple[str, ...],
    why: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    **options: Unpack[PlanOptions],
) -> None:
    """Say what `quantize` would do with SOURCE: every tensor, its type and size. Reads headers, no weights.

    SOURCE is what `quantize` takes. Of a model on the Hub only config, tokenizer and headers are fetched.

    \b
    ggufpress plan TinyLlama/TinyLlama-1.1B-Chat-v1.0
    ggufpress plan TinyLlama-1.1B-Chat-v1.0 -q Q8_0 -q Q4_K_M
    ggufpress plan TinyLlama-1.1B-Chat-v1.0 --why blk.0.attn_v.weight
    """
    options["say"] = None if quiet else say
    plan = requested(source, types or None, **options)
    if why:
        explained = explain(plan, why)
        if as_json:
            print_json([item.to_json() for item in explained])
        else:
            show_why(explained)
    elif as_json:
        more = {"footprints": [item.to_json() for item in footprints(plan)], "remote": fetching(plan).to_json()}
        print_json(plan.to_json() | more)
    elif quiet:
        for file in (file for made in plan.outputs for file in made.files):
            click.echo(f"{file.path}\t{file.file_bytes}")
    else:
        show(plan)


def show_why(explained: Sequence[Explanation]) -> None:
    """Print for a person what decided about each tensor."""
    for item in explained:
        tensor = item.tensor
        shape = " x ".join(map(str, tensor.shape))
        click.echo(
            f"{tensor.name} in {item.output.preset.name}: {shape}, {tensor.via} -> {tensor.qtype} ({tensor.rule})"
        )
        print_table(table(("rule", "says"), [(step.rule, step.answer) for step in item.steps], fold=1))
        click.echo()


def show(plan: Plan) -> None:
    """Print the plan for a person."""
    console = stdout()
    for output in plan.outputs:
        print_table(table_of(output))
        for tensor in output.fallbacks:
            console.print(
                f"fallback: {tensor.name} gets {tensor.qtype}: {tensor.fallback}", style="yellow", markup=False
            )
        for line in about_importance(output):
            console.print(f"importance: {line}", style="yellow", markup=False)
        how = "as llama.cpp's converter makes it"
        if output.via:
            how = f"as llama-quantize makes it from {plan.model.root.name if plan.model.stored else output.via.name}"
        size = f"{human_bytes(output.file_bytes)}, {output.bpw:.2f} bits per weight, {len(output.tensors)} tensors"
        shards = f"{len(output.files)} shards, " if len(output.files) > 1 else ""
        console.print(f"{output.path}: {shards}{size}, {how}\n", markup=False)
    rows = [
        (item.label, item.preset, human_bytes(item.file_bytes), human_bytes(item.memory_bytes), item.about)
        for item in footprints(plan)
    ]
    title = f"What this model weighs ({human_count(plan.model.n_params)} weights)"
    columns = ("precision", "type", "file", "memory to run", "")
    print_table(table(columns, rows, title=title, right=(2, 3)))
    console.print(f"Memory is an estimate for a conversation of {CONTEXT} tokens at most.\n", style="dim", markup=False)
    console.print(
        f"reads {human_bytes(plan.model.source_bytes)}, needs {human_bytes(plan.disk_bytes)} of disk", markup=False
    )
    if line := fetching(plan).line(plan):
        console.print(line, markup=False)
    talk = stderr()
    for note in plan.model.notes:
        talk.print(f"note: {note}", style="dim", markup=False)


def table_of(output: OutputPlan) -> Table:
    """The tensors of one output as a table."""
    rows = [
        (
            tensor.name,
            " x ".join(map(str, tensor.shape)),
            f"{tensor.source.dtype} -> {tensor.qtype}",
            human_bytes(tensor.nbytes),
            ", ".join(map(str, tensor.source.steps)),
            tensor.rule,
        )
        for tensor in output.tensors
    ]
    columns = ("tensor", "shape", "type", "size", "operations", "why this type")
    return table(columns, rows, title=f"{output.preset.name}: {output.path}", right=(1, 3))
