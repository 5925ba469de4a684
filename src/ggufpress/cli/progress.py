"""The progress bar on standard error: bytes, tensors, speed, time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ggufpress.cli.output import stderr
from ggufpress.planning import Plan


class ByteProgress:
    """Shows how many bytes of how many tensors are done. Silent where standard error is no terminal."""

    def __init__(self, what: str, total: int | None, n_tensors: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.fields[tensors]} tensors", markup=False),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=stderr(),
            transient=True,
            disable=not stderr().is_terminal,
        )
        self._seen: set[str] = set()
        self._n_tensors = n_tensors
        self._task = self._bar.add_task(what, total=total, tensors=f"0/{n_tensors}")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

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
