"""The options that say which type each tensor gets: llama-quantize's, and a recipe file that says them all."""

from __future__ import annotations

from pathlib import Path

import click

from ggufpress.cli.output import Function
from ggufpress.recipe.recipe import ON_MISSING

FILE = click.Path(path_type=Path)
OPTIONS = (
    click.option("--recipe", type=FILE, help="A recipe file; the options here add to it. -q takes the place of its preset."),
    click.option("--tensor-type", "tensor_types", multiple=True, metavar="REGEX=TYPE",
                 help="Give the tensors whose name REGEX finds this type. The first of many that matches decides."),
    click.option("--tensor-type-file", "tensor_type_files", type=FILE, multiple=True,
                 help="A file of REGEX=TYPE, separated by spaces or lines; tried after --tensor-type."),
    click.option("--token-embedding-type", metavar="TYPE", help="The type of token_embd.weight."),
    click.option("--output-tensor-type", metavar="TYPE", help="The type of output.weight."),
    click.option("--pure", is_flag=True, help="No mix: every tensor gets the preset's own type."),
    click.option("--leave-output-tensor", is_flag=True, help="Keep output.weight in the type it has."),
    click.option("--no-fallback", is_flag=True, help="Refuse a type that rows do not fit, instead of taking a bigger one."),
    click.option("--include-weights", multiple=True, metavar="PART",
                 help="Use only the entries of the importance matrix with PART in their name."),
    click.option("--exclude-weights", multiple=True, metavar="PART",
                 help="Do not use the entries of the importance matrix with PART in their name."),
    click.option("--on-missing", type=click.Choice(ON_MISSING),
                 help="What becomes of a tensor whose type needs importance that is missing.  [default: fail]"),
)  # fmt: skip
IMATRIX = (
    click.option(
        "--imatrix", type=click.Path(), help="An importance matrix, GGUF or the older .dat. quantize: auto makes it."
    ),
    click.option("--imatrix-name", metavar="NAME", help="What the file says in the place of the matrix's path."),
)


def recipe_options(function: Function) -> Function:
    """Add the options of `ggufpress.recipe.options.RecipeOptions`."""
    for decorate in reversed(OPTIONS):
        function = decorate(function)
    return function


def imatrix_options(function: Function) -> Function:
    """Add --imatrix and --imatrix-name."""
    for decorate in reversed(IMATRIX):
        function = decorate(function)
    return function
