"""Recipe files: a recipe as TOML that a person can read and write.

    preset = "Q4_K_M"
    output_tensor_type = "Q8_0"

    [[rule]]
    match = 'ffn_down'
    type = "Q6_K"

    [imatrix]
    on_missing = "upgrade"

Only `preset` is needed. What a key means is told in docs/guides/recipes.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ggufpress.errors import RecipeError, UsageError
from ggufpress.files import ReadOnlyFile
from ggufpress.recipe.presets import preset_named
from ggufpress.recipe.recipe import Override, Recipe, made_type

MAX_BYTES = 1 << 20
TYPES = ("token_embedding_type", "output_tensor_type")
FLAGS = ("pure", "leave_output_tensor", "no_fallback")
IMATRIX = ("include", "exclude", "on_missing")


def read_recipe(path: Path) -> Recipe:
    """The recipe in the file at `path`. Raises RecipeError that names the key that is wrong."""
    with ReadOnlyFile(path, RecipeError) as file:
        if file.size > MAX_BYTES:
            raise RecipeError(f"{path} has {file.size:,} bytes, a recipe has at most {MAX_BYTES:,}")
        data = file.read(0, file.size, "its text")
    try:
        return recipe_from(tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path} is no TOML: {error}") from None
    except UsageError as error:
        raise RecipeError(f"{path}: {error}", hint=error.hint) from None


def recipe_from(data: dict[str, Any]) -> Recipe:
    """The recipe that a parsed file says. Raises UsageError for unknown keys and wrong values."""
    _refuse_unknown(data, ("preset", *TYPES, *FLAGS, "rule", "imatrix"), "")
    imatrix = _get(data, "imatrix", dict, {})
    _refuse_unknown(imatrix, IMATRIX, "imatrix.")
    if "preset" not in data:
        raise UsageError("preset is missing", hint='such as preset = "Q4_K_M"')
    return Recipe(
        preset=preset_named(_get(data, "preset", str, "")),
        overrides=tuple(_rule(number, rule) for number, rule in enumerate(_get(data, "rule", list, []), 1)),
        **{key: made_type(_get(data, key, str, "")) for key in TYPES if key in data},  # type: ignore[arg-type]
        **{key: _get(data, key, bool, False) for key in FLAGS},
        include=_texts(imatrix, "include"),
        exclude=_texts(imatrix, "exclude"),
        on_missing=_get(imatrix, "on_missing", str, "fail"),
    )


def recipe_text(recipe: Recipe, comment: str = "") -> str:
    """The recipe as a file that `read_recipe` reads to the same. `comment` stands at its top."""
    return "\n".join(_lines(recipe, comment)) + "\n"


def _lines(recipe: Recipe, comment: str) -> Iterator[str]:
    for line in comment.splitlines():
        yield "# " + "".join(char if char.isprintable() else "?" for char in line)
    yield f"preset = {_quoted(recipe.preset.name)}"
    for key in TYPES:
        if qtype := getattr(recipe, key):
            yield f"{key} = {_quoted(qtype.name)}"
    for key in FLAGS:
        if getattr(recipe, key):
            yield f"{key} = true"
    for rule in recipe.overrides:
        yield from ("", "[[rule]]", f"match = {_literal(rule.pattern)}", f"type = {_quoted(rule.qtype.name)}")
    policy = [
        f"{key} = [{', '.join(map(_quoted, getattr(recipe, key)))}]" for key in IMATRIX[:2] if getattr(recipe, key)
    ]
    if recipe.on_missing != "fail":
        policy.append(f"on_missing = {_quoted(recipe.on_missing)}")
    if policy:
        yield from ("", "[imatrix]", *policy)


def _literal(text: str) -> str:
    """A TOML string without escapes where that is possible: patterns are full of backslashes."""
    return f"'{text}'" if text.isprintable() and "'" not in text else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped) + '"'


def _rule(number: int, rule: Any) -> Override:
    where = f"rule {number}: "
    if not isinstance(rule, dict):
        raise UsageError(f"{where}it is no table", hint="[[rule]] starts one")
    _refuse_unknown(rule, ("match", "type"), where)
    pattern, name = (_get(rule, key, str, "") for key in ("match", "type"))
    if not pattern or not name:
        raise UsageError(f"{where}it needs match and type", hint="match = 'ffn_down' and type = \"Q6_K\"")
    try:
        return Override(pattern, made_type(name))
    except UsageError as error:
        raise UsageError(f"{where}{error}", hint=error.hint) from None


def _get(data: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    value = data.get(key, default)
    if not isinstance(value, kind):
        raise UsageError(f"{key} is {value!r}, not {WORDS[kind]}")
    return value


WORDS: dict[type, str] = {str: "a string", bool: "true or false", list: "a list of tables", dict: "a table"}


def _texts(data: dict[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise UsageError(f"imatrix.{key} is {value!r}, not a list of parts of names")
    return tuple(value)


def _refuse_unknown(data: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := [key for key in data if key not in known]:
        raise UsageError(f"{where}the key {unknown[0]!r} is unknown", hint=f"known: {', '.join(known)}")
