"""The options that `quantize` and `plan` share: what to make from what."""

from __future__ import annotations

from pathlib import Path

import click

from ggufpress.cli.output import Function

LAYOUT_HELP = (
    "Order of keys and tensors: the converter's, or llama-quantize's. auto: the converter's where it has the type."
)
VIA_HELP = "Whose rounding to reproduce: the type of the file that llama-quantize would be given. auto: the converter's default."


def source_options(function: Function) -> Function:
    """Add SOURCE, -q, -o, --via and --layout."""
    for decorate in (
        click.option("--layout", type=click.Choice(["auto", "convert", "quantize"]), default="auto", show_default=True, help=LAYOUT_HELP),
        click.option("--via", type=click.Choice(["auto", "f32", "f16", "bf16"]), default="auto", show_default=True, help=VIA_HELP),
        click.option("-o", "--output", type=click.Path(path_type=Path), help="A .gguf file (one type) or a folder.  [default: here]"),
        click.option("-q", "--type", "types", multiple=True, default=["Q4_K_M"], show_default=True, metavar="TYPE",
                     help="A preset, see `ggufpress types`; AUTO keeps the checkpoint's precision. May be given many times."),
        click.argument("source"),
    ):  # fmt: skip
        function = decorate(function)
    return function
