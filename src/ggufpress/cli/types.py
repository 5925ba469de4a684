"""`ggufpress types`."""

from __future__ import annotations

import click

from ggufpress.cli.output import print_json, print_table, shared_options, table
from ggufpress.quant.types import QTYPES
from ggufpress.recipe.presets import ALIASES, ALL, AUTO, COPY


@click.command("types")
@shared_options
def command(as_json: bool, quiet: bool) -> None:
    """List the presets that -q takes, and the tensor types that a GGUF file can hold."""
    if as_json:
        presets = [
            {
                "name": p.name,
                "ftype": p.ftype,
                "type": p.qtype.name,
                "bpw": p.qtype.bpw,
                "about": p.about,
                "needs_imatrix": p.needs_imatrix,
            }
            for p in ALL
        ]
        types = [
            {"name": q.name, "id": q.id, "bpw": q.bpw, "block": q.block, "block_bytes": q.block_bytes, "about": q.about}
            for q in QTYPES
        ]
        print_json({"presets": presets, "aliases": ALIASES, "types": types})
        return
    if quiet:
        click.echo("\n".join(preset.name for preset in ALL))
        return
    rows = [(p.name, p.qtype.name, f"{p.qtype.bpw:.4g}", p.purpose) for p in ALL]
    rows.append((COPY.name, "", "", COPY.about))
    rows.append((AUTO, "", "", "BF16 or F16, whichever the checkpoint is stored in"))
    print_table(
        table(("preset", "mostly", "bits/weight", "what for"), rows, title="Presets: what -q takes", right=(2,))
    )
    aliases = ", ".join(f"{alias} = {name}" for alias, name in ALIASES.items())
    click.echo(f"Also: {aliases}\n")
    types_rows = [(q.name, str(q.id), f"{q.bpw:.4g}", str(q.block), str(q.block_bytes), q.about) for q in QTYPES]
    columns = ("type", "id", "bits/weight", "block", "bytes", "about")
    print_table(table(columns, types_rows, title="Tensor types: what a file can hold", right=(1, 2, 3, 4)))
