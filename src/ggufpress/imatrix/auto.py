"""The importance matrix that `--imatrix auto` stands for: made once of a source and a text, then found again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from ggufpress.errors import OutputError
from ggufpress.execute.partfile import PartFile
from ggufpress.files import reason
from ggufpress.gguf.shards import GgufSet
from ggufpress.imatrix.make import Progress, Settings, make_matrix, partial_path
from ggufpress.imatrix.sums import gguf_bytes
from ggufpress.llama.runnable import runnable
from ggufpress.quality.chunks import read_text
from ggufpress.source.resolve import HubOptions, resolve
from ggufpress.texts import CALIBRATION


def auto_matrix(
    source: str,
    text: Path | None = None,
    *,
    n_threads: int | None = None,
    work: Path | None = None,
    tell: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    hub: HubOptions | None = None,
) -> Path:
    """The path of the importance matrix of `source` for `text`, by default the bundled one; made where there is none yet.

    It is found again as long as the source's files have the same size and time. Raises what making one raises.
    """
    say = tell or (lambda _: None)
    data = read_text(text or CALIBRATION)
    path = cache() / f"{_key(source, hub, data)}.gguf"
    if path.exists():
        say(f"the importance matrix was made before: {path}")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {path.parent} cannot be made: {reason(error)}") from error
    partial = partial_path(path)
    say(f"an importance matrix is made of {text or 'the bundled calibration.txt'}, and kept as {path}")
    with runnable(source, work, say, hub) as file:
        made = make_matrix(
            file, data, (text or CALIBRATION).name, partial, settings=Settings(n_threads=n_threads), progress=progress
        )
    raw = gguf_bytes(made.collected)
    with PartFile(path, len(raw), force=True) as part:
        part.write_at(0, raw)
        part.commit()
    partial.unlink(missing_ok=True)
    return path


def cache() -> Path:
    """The folder of matrices that were made."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ggufpress" / "imatrix"


def _key(source: str, hub: HubOptions | None, text: bytes) -> str:
    """A name that changes with the text, with any file of weights, and with the commit of a model on the Hub."""
    found = resolve(source, **(hub or {}))
    refs = found.tensors if isinstance(found, GgufSet) else tuple(found.tensors.values())
    origin = {} if isinstance(found, GgufSet) else found.provenance
    stamps = {(str(ref.file.resolve() if isinstance(ref.file, Path) else ref.file), repr(ref.stamp)) for ref in refs}
    return hashlib.sha256(repr((sorted(stamps), sorted(origin.items()))).encode() + text).hexdigest()[:32]
