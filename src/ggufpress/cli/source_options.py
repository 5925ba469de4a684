"""The options that `quantize` and `plan` share: what to make from what."""

from __future__ import annotations

from pathlib import Path

import click

from ggufpress.cli.output import Function

TYPE_HELP = (
    "A preset, see `ggufpress types`; AUTO keeps the source's precision. May be given many times.  [default: Q4_K_M]"
)
OUTPUT_HELP = "A .gguf file (one type) or a folder.  [default: here]"
VIA_HELP = "Whose rounding: the type of the file that llama-quantize would be given. auto: the converter's default."
LAYOUT_HELP = (
    "Order of keys and tensors: the converter's or llama-quantize's. auto: the converter's where it has the type and nothing "
    "else is asked for."
)


REVISION_HELP = "Of a source on the Hub: a branch, a tag or a commit.  [default: main]"
TOKEN_HELP = "Of a source on the Hub: the token to use.  [default: HF_TOKEN, or the saved login]"
PRE_HELP = "The pre-tokenizer, by llama.cpp's name.  [default: the one that is recognised]"


def hub_options(function: Function) -> Function:
    """Add --revision and --token."""
    for decorate in (
        click.option("--token", metavar="TOKEN", help=TOKEN_HELP),
        click.option("--revision", metavar="REV", help=REVISION_HELP),
    ):
        function = decorate(function)
    return function


def source_options(function: Function) -> Function:
    """Add SOURCE, -q, -o, --via, --layout, --pre, --revision and --token."""
    function = hub_options(function)
    path = click.Path(path_type=Path)
    layouts, vias = click.Choice(["auto", "convert", "quantize"]), click.Choice(["auto", "f32", "f16", "bf16"])
    for decorate in (
        click.option("--pre", metavar="NAME", help=PRE_HELP),
        click.option("--layout", type=layouts, default="auto", show_default=True, help=LAYOUT_HELP),
        click.option("--via", type=vias, default="auto", show_default=True, help=VIA_HELP),
        click.option("-o", "--output", type=path, help=OUTPUT_HELP),
        click.option(
            "-q",
            "--type",
            "types",
            multiple=True,
            metavar="TYPE",
            help=TYPE_HELP,
        ),
        click.argument("source"),
    ):
        function = decorate(function)
    return function
