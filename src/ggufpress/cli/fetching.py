"""What a plan takes from elsewhere: said before any of it is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ggufpress.amounts import human_bytes
from ggufpress.execute.bringing import remote_files
from ggufpress.planning import Plan
from ggufpress.source.remote import RemoteFile


@dataclass(frozen=True, slots=True)
class Fetching:
    """Files elsewhere: how many, the bytes of weights that are streamed of them, the bytes of the whole files.

    `cached_bytes` are those of files that are on this disk already.
    """

    n_files: int
    stream_bytes: int
    whole_bytes: int
    cached_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "files": self.n_files,
            "stream_bytes": self.stream_bytes,
            "download_bytes": self.whole_bytes,
            "cached_bytes": self.cached_bytes,
        }

    def line(self, plan: Plan) -> str:
        """A line for a person, empty where nothing is elsewhere."""
        if not self.n_files and not self.cached_bytes:
            return ""
        where = "{repository} at commit {commit:.7}".format(**plan.model.provenance)
        parts = []
        if self.n_files:
            files = "1 file" if self.n_files == 1 else f"{self.n_files} files"
            parts.append(f"{human_bytes(self.stream_bytes)} of weights to fetch in {files}")
        if self.cached_bytes:
            parts.append(f"{human_bytes(self.cached_bytes)} in the cache")
        return f"from {where}: {', '.join(parts)}"


def fetching(plan: Plan) -> Fetching:
    """What `plan` takes from elsewhere."""
    away: dict[RemoteFile, None] = {file: None for file in remote_files(plan) if not file.is_here}
    here = [file for file in remote_files(plan) if file.is_here]
    read = [ref for tensor in plan.model.tensors for ref in tensor.sources if ref.file in away]
    return Fetching(
        len(away),
        sum(ref.nbytes for ref in read),
        sum(file.size for file in away),
        sum(file.size for file in here),
    )
