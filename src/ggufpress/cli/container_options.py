"""The options that `quantize` and `plan` share beyond types: other keys, fewer layers, shards, GGUF sources."""

from __future__ import annotations

import click

from ggufpress.cli.output import Function


def container_options(function: Function) -> Function:
    """Add the options, which `ggufpress.planning.request.plan` takes."""
    for decorate in (
        click.option("--split-max-tensors", type=int, metavar="N", help="Write shards of at most N tensors."),
        click.option(
            "--split-max-size", metavar="N(M|G)", help="Write shards with at most so many bytes of tensors: 500M or 2G."
        ),
        click.option("--keep-split", is_flag=True, help="Of a GGUF source in shards, write the same shards."),
        click.option(
            "--override-kv",
            multiple=True,
            metavar="KEY=TYPE:VALUE",
            help="Set a metadata key; TYPE is int, float, bool or str. May be given many times.",
        ),
        click.option("--prune-layers", metavar="LIST", help="Leave out these layers, such as 3,7; others move up."),
        click.option(
            "--allow-requantize", is_flag=True, help="Quantize tensors of a GGUF source that are quantized already."
        ),
    ):
        function = decorate(function)
    return function
