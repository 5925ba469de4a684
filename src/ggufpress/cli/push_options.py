"""The options of publishing, which `quantize --push` and `push` share."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import click

from ggufpress.cli.output import Function
from ggufpress.errors import UsageError

SECRET = re.compile(r"hf_[A-Za-z0-9]{8,}")
_WITH_SECRET = ("--token",)


class PushOptions(TypedDict):
    """The options, as click hands them on."""

    private: bool | None
    create_pr: bool
    push_revision: str
    yes_i_may: bool
    card: bool
    base_model: str | None


def push_options(function: Function) -> Function:
    """Add --private, --public, --create-pr, --push-revision, --yes-i-may, --no-card and --base-model."""
    for decorate in (
        click.option("--base-model", metavar="ORG/NAME[@REV]", help="The model that was quantized, for the card."),
        click.option("--card/--no-card", default=True, help="Write, or leave alone, README.md."),
        click.option(
            "--yes-i-may", is_flag=True, help="Publish a gated model for all: its licence lets me, I have read it."
        ),
        click.option("--push-revision", metavar="BRANCH", default="main", help="The branch.  [default: main]"),
        click.option("--create-pr", is_flag=True, help="Open a pull request, or go on with the one of the last run."),
        click.option(
            "--private/--public",
            "private",
            default=None,
            help="Who may see a new repository.  [default: the Hub's; an old one stays as it is]",
        ),
    ):
        function = decorate(function)
    return function


def refuse_without_push(push: str | None, options: PushOptions, delete: bool) -> None:
    """Raise UsageError where an option of publishing is given and nothing is to be published."""
    given = {
        "--private or --public": options["private"] is not None,
        "--create-pr": options["create_pr"],
        "--push-revision": options["push_revision"] != "main",
        "--yes-i-may": options["yes_i_may"],
        "--no-card": not options["card"],
        "--base-model": options["base_model"] is not None,
        "--delete-after-upload": delete,
    }
    if push is None and (wrong := [name for name, is_given in given.items() if is_given]):
        raise UsageError(f"{wrong[0]} is for publishing, and --push ORG/NAME is missing")


def said_command(arguments: Sequence[str] | None = None) -> str:
    """The command as it may be published: without tokens, and without the folders of this machine.

    Example: `said_command(["push", "/home/ann/a.gguf", "ann/a", "--token", "hf_x"]) == "ggufpress push a.gguf ann/a"`
    """
    words: list[str] = []
    skip = False
    for word in sys.argv[1:] if arguments is None else arguments:
        if skip:
            skip = False
        elif word in _WITH_SECRET:
            skip = True
        elif not word.startswith(tuple(f"{name}=" for name in _WITH_SECRET)):
            words.append(_shown(SECRET.sub("***", word)))
    return " ".join(["ggufpress", *words])


def _shown(word: str) -> str:
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if Path(value).is_absolute():
        value = Path(value).name or "."
    shown = f"{option}{equals}{value}"
    return shown if re.fullmatch(r"[\w@%+=:,./-]+", shown) else "'" + shown.replace("'", "'\\''") + "'"


def base_of(stated: str | None) -> tuple[str | None, str | None]:
    """Repository and revision that --base-model names. Raises UsageError."""
    if stated is None:
        return None, None
    match = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@(\S+))?", stated)
    if match is None:
        raise UsageError(f"--base-model {stated!r} is no repository", hint="write ORG/NAME or ORG/NAME@REVISION")
    return match[1], match[2]


def target_of(repo: str, options: PushOptions) -> Any:
    """The target that the options describe."""
    from ggufpress.publish.target import Target  # noqa: PLC0415

    return Target(repo, options["private"], options["push_revision"], options["create_pr"])
