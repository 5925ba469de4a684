"""Moving finished bytes to the disk while more are computed, so that the last sync has little left to wait for."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event, Thread

from ggufpress.errors import OutputError
from ggufpress.execute.partfile import PartFile

INTERVAL = 0.2
"""Seconds between two rounds of syncs: few for the file system, and little is left at the end."""


class Writeback:
    """Syncs `parts` again and again, in a thread of its own, until the `with` block is left. Then raises what failed.

    The system tells of a failed write once: an error here must not be lost, a later sync of the file may succeed.
    """

    def __init__(self, parts: Sequence[PartFile]) -> None:
        self._parts = parts
        self._stop = Event()
        self._error: OutputError | None = None
        self._thread = Thread(target=self._run, name="write back", daemon=True)

    def __enter__(self) -> Writeback:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._error and kind is None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.wait(INTERVAL):
                for part in self._parts:
                    part.sync()
        except OutputError as error:
            self._error = error
