"""A progress bar on standard error that counts steps and shows a few words beside them."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ggufpress.cli.output import stderr


class StepProgress:
    """Shows how many steps are done. Silent where standard error is no terminal."""

    def __init__(self, what: str) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            TimeRemainingColumn(),
            console=stderr(),
            transient=True,
            disable=not stderr().is_terminal,
        )
        self._task = self._bar.add_task(what, total=None, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def at(self, done: int, total: int, words: str) -> None:
        """Show that `done` of `total` steps are done."""
        self._bar.update(self._task, completed=done, total=total, words=words)
