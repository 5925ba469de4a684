"""`ggufpress recipe`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from ggufpress.cli.output import print_json, shared_options
from ggufpress.cli.recipe_options import imatrix_options, recipe_options
from ggufpress.cli.source_options import VIA_HELP
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.planning import OutputPlan
from ggufpress.planning.gguf_model import gguf_model
from ggufpress.planning.request import plan as requested
from ggufpress.recipe import Recipe
from ggufpress.recipe.clone import cloned, spelled_out
from ggufpress.recipe.file import recipe_text
from ggufpress.recipe.options import RecipeOptions, recipe_of


@click.group("recipe")
def command() -> None:
    """Work with recipes: files that say which type each tensor gets. --recipe of `quantize` and `plan` takes one."""


@command.command("show")
@click.argument("source", required=False)
@click.option("-q", "--type", "preset", metavar="TYPE", help="The preset.  [default: the recipe's, or Q4_K_M]")
@click.option(
    "--via", type=click.Choice(["auto", "f32", "f16", "bf16"]), default="auto", show_default=True, help=VIA_HELP
)
@imatrix_options
@recipe_options
@shared_options
def show_command(
    source: str | None,
    via: str,
    imatrix: str | None,
    imatrix_name: str | None,
    as_json: bool,
    quiet: bool,
    **options: Unpack[RecipeOptions],
) -> None:
    """Print the recipe that the options say, as a file. With SOURCE the mix is spelled out: a rule for each type.

    \b
    ggufpress recipe show TinyLlama-1.1B-Chat-v1.0 -q Q4_K_M > mine.toml
    ggufpress quantize TinyLlama-1.1B-Chat-v1.0 --recipe mine.toml
    """
    if source is None:
        say(recipe_of(**options), "", as_json)
        return
    plan = requested(
        source,
        via=via,
        layout="quantize",
        allow_requantize=True,
        imatrix=imatrix,
        imatrix_name=imatrix_name,
        **options,
    )
    output = plan.outputs[0]
    tensors = [(tensor.name, tensor.shape, tensor.qtype) for tensor in output.tensors]
    say(
        spelled_out(output.recipe, tensors, plan.model.facts),
        f"{output.preset.name} for {plan.model.name}: {counts(output)}",
        as_json,
    )


@command.command("clone")
@click.argument("file", type=click.Path(path_type=Path))
@shared_options
def clone_command(file: Path, as_json: bool, quiet: bool) -> None:
    """Derive a recipe from the GGUF file FILE, to give its mix to another model of the same shape.

    \b
    ggufpress recipe clone well-liked.gguf > liked.toml
    ggufpress quantize my-finetune --recipe liked.toml
    """
    model = gguf_model(read_gguf_set(file))
    tensors = [(tensor.name, tensor.shape, tensor.dtype) for tensor in model.tensors]
    comment = f"cloned from {file.name}"
    if any(key.startswith("quantize.imatrix.") for key in model.metadata):
        comment += "\nmade with an importance matrix: without one some mixes give other types"
    say(cloned(model.metadata, tensors, model.facts), comment, as_json)


def counts(output: OutputPlan) -> str:
    """How many tensors have which type."""
    types = [tensor.qtype for tensor in output.tensors]
    ordered = sorted(set(types), key=lambda qtype: -qtype.bpw)
    return ", ".join(f"{types.count(qtype)} {qtype}" for qtype in ordered)


def say(recipe: Recipe, comment: str, as_json: bool) -> None:
    """Print a recipe as a file or as JSON."""
    if as_json:
        print_json(recipe.to_json())
    else:
        click.echo(recipe_text(recipe, comment), nl=False)
