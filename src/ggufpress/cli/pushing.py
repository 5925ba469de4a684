"""What publishing shows: how far it is, and at the end where it is and how to run it. Imports the Hub's library."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import print_json, stderr
from ggufpress.cli.push_options import PushOptions, said_command
from ggufpress.gguf.values import Metadata
from ggufpress.hub.session import Session
from ggufpress.publish.facts import Made, Source
from ggufpress.publish.publication import About, Outcome, Publication
from ggufpress.publish.target import Target


class UploadProgress:
    """Shows how many bytes of each file have gone out. Silent until `show`, and where standard error is no terminal."""

    def __init__(self, *, talk: bool) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=stderr(),
            transient=True,
            disable=not talk or not stderr().is_terminal,
        )
        self._talk = talk
        self._tasks: dict[str, object] = {}
        self._lock = threading.Lock()
        self._shown = False

    def advance(self, path: str, sent: int, total: int) -> None:
        """Note that `sent` of `total` bytes of a file have gone out."""
        with self._lock:
            if path not in self._tasks:
                self._tasks[path] = self._bar.add_task(f"uploading {path}", total=total)
            self._bar.update(self._tasks[path], completed=sent)  # type: ignore[arg-type]

    def show(self) -> None:
        """Begin to show it: nothing else is shown any more."""
        if not self._shown:
            self._shown = True
            self._bar.start()

    def hide(self) -> None:
        """Show it no more: another bar comes."""
        if self._shown:
            self._shown = False
            self._bar.stop()

    def say(self, text: str) -> None:
        """A line of talk above the bar."""
        if self._talk:
            self._bar.console.print(f"note: {text}", style="yellow", markup=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._bar.stop()


def open_publication(
    stack: ExitStack,
    target: Target,
    options: PushOptions,
    source: Source,
    metadata: Metadata,
    types: Sequence[str],
    imatrix: Path | None,
    *,
    token: str | None,
    line: str | None,
) -> tuple[UploadProgress, Publication]:
    """Open the target for files of `types`, as this command asks for; `stack` closes it. `line` is said first, if any talk is.

    Raises GgufpressError where the target must not or cannot be written.
    """
    if line is not None:
        stderr().print(line, markup=False)
        if source.repo is None:
            stderr().print(
                "note: the card names no base model: --base-model ORG/NAME adds it", style="dim", markup=False
            )
    progress = stack.enter_context(UploadProgress(talk=line is not None))
    made = Made(said_command(), version("ggufpress"))
    about = About(source, metadata, made, imatrix, consent=options["yes_i_may"], card=options["card"])
    session = Session(token, say=progress.say)
    return progress, stack.enter_context(Publication(session, target, about, types, progress=progress.advance))


def show_outcome(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    """Print where the files are and the commands that run them."""
    committed = outcome.committed
    address = committed.url if committed and committed.pull_request else outcome.page
    if as_json:
        print_json(outcome.to_json())
        return
    if quiet:
        click.echo(address)
        return
    sizes = {part.path: part.nbytes for file in outcome.files for part in file.parts}
    click.echo(f"\npublished at {address}")
    for path in outcome.sent:
        size = f"  {human_bytes(sizes[path])}" if path in sizes else ""
        click.echo(f"  sent           {path}{size}")
    for path in outcome.there:
        click.echo(f"  there already  {path}")
    if outcome.commands:
        later = " (when the pull request is merged)" if committed and committed.pull_request else ""
        click.echo(f"\nrun it{later}")
        for program, command in outcome.commands:
            click.echo(f"  {program:<16}  {command}")
    if committed is None:
        stderr().print("nothing had to be changed", style="green", markup=False)
