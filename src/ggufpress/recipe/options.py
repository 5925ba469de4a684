"""From the words of the command line and the Python API to a recipe: a file's, with what is asked for beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TypedDict, Unpack

from ggufpress.errors import RecipeError
from ggufpress.files import ReadOnlyFile
from ggufpress.recipe.file import MAX_BYTES, read_recipe
from ggufpress.recipe.presets import preset_named
from ggufpress.recipe.recipe import DEFAULT, OnMissing, Override, Recipe, made_type, parse_override, parse_overrides


class RecipeOptions(TypedDict, total=False):
    """The options that say which type each tensor gets, as llama-quantize calls them.

    recipe: a recipe file, or a Recipe; the other options add to it. preset: what takes the place of its preset.
    tensor_types: "REGEX=TYPE", tried in order and before those of the recipe. tensor_type_files: files of such, separated
    by spaces or lines. token_embedding_type, output_tensor_type: types of the two ends. pure, leave_output_tensor,
    no_fallback: see `Recipe`. include_weights, exclude_weights: parts of names of the importance matrix's entries.
    on_missing: fail, upgrade or unweighted.
    """

    recipe: Recipe | str | PathLike[str] | None
    preset: str | None
    tensor_types: Sequence[str]
    tensor_type_files: Sequence[str | PathLike[str]]
    token_embedding_type: str | None
    output_tensor_type: str | None
    pure: bool
    leave_output_tensor: bool
    no_fallback: bool
    include_weights: Sequence[str]
    exclude_weights: Sequence[str]
    on_missing: OnMissing | None


def recipe_of(**options: Unpack[RecipeOptions]) -> Recipe:
    """The recipe that the options say. Raises UsageError or RecipeError."""
    given = options.get("recipe")
    recipe = given if isinstance(given, Recipe) else read_recipe(Path(given)) if given else DEFAULT
    types = options.get("tensor_types", ())
    rules = [parse_override(text) for text in ((types,) if isinstance(types, str) else types)]
    for file in options.get("tensor_type_files", ()):
        rules += read_overrides(Path(file))
    include, exclude = _words(options.get("include_weights", ())), _words(options.get("exclude_weights", ()))
    if not include and not exclude:
        include, exclude = recipe.include, recipe.exclude
    embedding, output = options.get("token_embedding_type"), options.get("output_tensor_type")
    preset = options.get("preset")
    return replace(
        recipe,
        preset=preset_named(preset) if preset else recipe.preset,
        overrides=(*rules, *recipe.overrides),
        token_embedding_type=made_type(embedding) if embedding else recipe.token_embedding_type,
        output_tensor_type=made_type(output) if output else recipe.output_tensor_type,
        pure=options.get("pure", False) or recipe.pure,
        leave_output_tensor=options.get("leave_output_tensor", False) or recipe.leave_output_tensor,
        no_fallback=options.get("no_fallback", False) or recipe.no_fallback,
        include=include,
        exclude=exclude,
        on_missing=options.get("on_missing") or recipe.on_missing,
    )


def _words(words: Iterable[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def read_overrides(path: Path) -> tuple[Override, ...]:
    """The overrides in a file of REGEX=TYPE, separated by spaces or lines. Raises RecipeError or UsageError."""
    with ReadOnlyFile(path, RecipeError) as file:
        if file.size > MAX_BYTES:
            raise RecipeError(f"{path} has {file.size:,} bytes, a list of rules has at most {MAX_BYTES:,}")
        data = file.read(0, file.size, "its text")
    try:
        return parse_overrides(data.decode())
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is no text: {error}") from None
