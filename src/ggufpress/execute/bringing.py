"""Bringing the files of a plan's source to this disk before they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ggufpress.planning import Plan
from ggufpress.source.remote import RemoteFile, RemoteHost


def remote_files(plan: Plan) -> list[RemoteFile]:
    """The files elsewhere that hold weights which `plan` needs, in the order in which they are read."""
    files = dict.fromkeys(ref.file for tensor in plan.model.tensors for ref in tensor.sources)
    return [file for file in files if not isinstance(file, Path)]


def bring(plan: Plan, progress: Callable[[int], None] = lambda _: None) -> None:
    """Copy the files elsewhere that `plan` needs to this disk, whole and checked. `progress` is told of bytes.

    Raises GgufpressError where one cannot be brought.
    """
    by_host: dict[RemoteHost, list[RemoteFile]] = {}
    for file in remote_files(plan):
        by_host.setdefault(file.host, []).append(file)
    for host, files in by_host.items():
        host.bring(files, progress)
