"""`ggufpress inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from ggufpress.amounts import human_bytes, human_count
from ggufpress.cli.output import print_json, print_table, shared_options, stdout, table
from ggufpress.inspection import Inspection, inspect


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@shared_options
def command(file: Path, as_json: bool, quiet: bool) -> None:
    """Show what the GGUF file FILE holds: metadata, tensors, types, sizes. Long values are shortened.

    \b
    ggufpress inspect TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf
    """
    inspection = inspect(file)
    if as_json:
        print_json(inspection.to_json())
    elif quiet:
        for tensor in inspection.tensors:
            click.echo(f"{tensor.name}\t{tensor.qtype}\t{'x'.join(map(str, tensor.shape))}\t{tensor.nbytes}")
    else:
        show(inspection)


def show(inspection: Inspection) -> None:
    """Print the inspection for a person."""
    console = stdout()
    keys = [(key.key, key.type.lower(), key.text) for key in inspection.keys]
    console.print(table(("key", "type", "value"), keys, title=f"Metadata: {len(keys)} keys", fold=2))
    console.print()
    tensors = [
        (
            tensor.name,
            " x ".join(map(str, tensor.shape)),
            tensor.qtype.name,
            human_bytes(tensor.nbytes),
            f"{tensor.offset:,}",
        )
        for tensor in inspection.tensors
    ]
    columns = ("tensor", "shape", "type", "size", "offset")
    print_table(table(columns, tensors, title=f"Tensors: {len(tensors)}", right=(1, 3, 4)))
    console.print()
    shares = [
        (share.qtype.name, str(share.n_tensors), human_count(share.n_params), human_bytes(share.nbytes), f"{share.share:.1%}",
         "#" * round(40 * share.share))
        for share in inspection.types
    ]  # fmt: skip
    print_table(table(("type", "tensors", "weights", "size", "share", ""), shares, title="Types", right=(1, 2, 3, 4)))
    console.print(
        f"\n{inspection.path}: GGUF version {inspection.version}, {human_bytes(inspection.file_bytes)}, "
        f"{human_count(inspection.n_params)} weights, {inspection.bpw:.2f} bits per weight",
        markup=False,
    )
    if inspection.shard:
        of = inspection.shard
        console.print(
            f"shard {of.number + 1} of {of.count} of a model with {of.n_tensors or 'an unknown number of'} tensors; "
            f"{'the first shard has its metadata' if of.number else 'this one has its metadata'}",
            markup=False,
        )
