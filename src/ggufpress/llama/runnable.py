"""What was given to be run as a file that llama.cpp loads: a GGUF file as it is, a checkpoint as a temporary file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ggufpress.execute.run import execute
from ggufpress.gguf.shards import GgufSet
from ggufpress.planning import build_plan
from ggufpress.recipe.presets import AUTO
from ggufpress.source.resolve import HubOptions, resolve


@contextmanager
def runnable(
    source: str, work: Path | None, tell: Callable[[str], None], hub: HubOptions | None = None
) -> Iterator[Path]:
    """The file to load for `source`. A checkpoint is converted, in its own precision, into a folder in `work`, by default
    the system's for temporary files, and the file removed afterwards; `tell` is told so.

    Raises what resolving, planning and executing raise: SpaceError where the disk has no room.
    """
    found = resolve(source, **(hub or {}))
    if isinstance(found, GgufSet):
        yield found.path
        return
    with TemporaryDirectory(prefix="ggufpress-", dir=work) as folder:
        plan = build_plan(found, [AUTO], output=Path(folder))
        (output,) = plan.outputs
        tell(f"{source} is converted to {output.preset.name} for now: {output.file_bytes:,} bytes in {folder}")
        execute(plan)
        yield output.path
