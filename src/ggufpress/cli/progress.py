"""Progress bars on standard error: bytes and tensors, or steps; speed, time left. Silent where that is no terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ggufpress.cli.output import stderr
from ggufpress.planning import Plan


class Bar:
    """A line with a description, a bar, `columns` and the time left, which goes away at the end. A context manager."""

    def __init__(self, what: str, total: int | None, *columns: ProgressColumn, **fields: Any) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            *columns,
            TimeRemainingColumn(),
            console=stderr(),
            transient=True,
            disable=not stderr().is_terminal,
        )
        self._task = self._bar.add_task(what, total=total, **fields)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class ByteProgress(Bar):
    """Shows how many bytes of how many tensors are done."""

    def __init__(self, what: str, total: int | None, n_tensors: int) -> None:
        tensors = TextColumn("{task.fields[tensors]} tensors", markup=False)
        super().__init__(what, total, DownloadColumn(), tensors, TransferSpeedColumn(), tensors=f"0/{n_tensors}")
        self._seen: set[str] = set()
        self._n_tensors = n_tensors

    def advance(self, nbytes: int, tensor: str) -> None:
        """Count `nbytes` more of `tensor`."""
        self._seen.add(tensor)
        self._bar.update(self._task, advance=nbytes, tensors=f"{len(self._seen)}/{self._n_tensors}")

    def stage(self, what: str) -> None:
        """Show what happens after the last weight."""
        self._bar.update(self._task, description=what)


class WeightProgress(ByteProgress):
    """Shows how much of the source of `plan` has been read."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("quantizing", plan.model.source_bytes, len(plan.model.tensors))


class StepProgress(Bar):
    """Shows how many steps are done, and a few words beside them."""

    def __init__(self, what: str) -> None:
        words = TextColumn("{task.fields[words]}", markup=False)
        super().__init__(what, None, MofNCompleteColumn(), words, words="")

    def at(self, done: int, total: int, words: str) -> None:
        """Show that `done` of `total` steps are done."""
        self._bar.update(self._task, completed=done, total=total, words=words)
