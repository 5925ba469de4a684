"""What publishing shows: how far it is, and at the end where it is and how to run it. Imports the Hub's library."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import print_json, stderr
from ggufpress.hub.session import Session
from ggufpress.publish.publication import Outcome


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


def open_session(token: str | None, progress: UploadProgress) -> Session:
    """A session that tells what it waits for."""
    return Session(token, say=progress.say)


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
