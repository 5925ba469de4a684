"""The options that `quantize` and `plan` share beyond types: other keys, fewer layers, shards, GGUF sources."""

from __future__ import annotations

from functools import wraps
from typing import Any

import click

from ggufpress.cli.output import Function
from ggufpress.planning.container import container

OPTIONS = ("allow_requantize", "prune_layers", "override_kv", "keep_split", "split_max_size", "split_max_tensors")


def container_options(function: Function) -> Function:
    """Add the options; the command gets them as one argument, `wanted`."""

    @wraps(function)
    def command(**arguments: Any) -> Any:
        options = {name: arguments.pop(name) for name in OPTIONS}
        options["prune_layers"] = options["prune_layers"] or ()
        return function(wanted=container(**options), **arguments)

    decorated: Any = command
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
        decorated = decorate(decorated)
    result: Function = decorated
    return result
