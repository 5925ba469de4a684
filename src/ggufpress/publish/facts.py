"""What a model card is made of, however it came to be known: a measurement may fill in what is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a repository: all of a model, or one shard."""

    path: str
    nbytes: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"path": self.path, "bytes": self.nbytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Made:
    """How a file was made: the command without secrets, the program's version, the revision of the source."""

    command: str
    version: str
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One model of the repository in one type. `rmse` and `kld` are errors against the source, None if not measured.

    `rmse`: root mean square over all weights that were measured; `kld`: mean Kullback-Leibler divergence of the predictions.
    """

    type: str
    parts: tuple[Part, ...]
    bpw: float | None = None
    n_params: int | None = None
    rmse: float | None = None
    kld: float | None = None
    made: Made | None = None

    @property
    def path(self) -> str:
        """The file, or the first shard."""
        return self.parts[0].path

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.nbytes for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as the repository's manifest keeps it."""
        made = self.made and {
            "command": self.made.command,
            "ggufpress": self.made.version,
            "revision": self.made.revision,
        }
        return {
            "type": self.type,
            "bpw": self.bpw and round(self.bpw, 4),
            "params": self.n_params,
            "rmse": self.rmse,
            "kld": self.kld,
            "parts": [part.to_json() for part in self.parts],
            "made": made,
        }


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from and on what terms. `repo` is its Hub id, where known."""

    name: str
    repo: str | None = None
    revision: str | None = None
    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = None
    gated: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """How a model wants to be asked. `example` has {system_prompt} and {prompt} in it; None where it is not known."""

    has_template: bool = False
    format: str | None = None
    example: str | None = None


@dataclass(frozen=True)
class CardFacts:
    """All that a card says. `paths` are the GGUF files of the repository in its order, also those of others.

    `imatrix` is the path of the importance matrix in the repository, `modelfile` whether there is one for Ollama.
    """

    repo: str
    source: Source
    files: tuple[PublishedFile, ...]
    arch: str = ""
    n_params: int | None = None
    context: int | None = None
    prompt: Prompt = field(default_factory=Prompt)
    imatrix: str | None = None
    modelfile: bool = False
    private: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """Every GGUF file, as the Hub lists them."""
        return tuple(sorted(part.path for file in self.files for part in file.parts))


def read_files(data: Any) -> tuple[PublishedFile, ...]:
    """The files that a manifest's JSON lists; entries that are not what `to_json` writes are left out."""
    listed = data.get("files") if isinstance(data, Mapping) else None
    found = [_read_file(entry) for entry in listed] if isinstance(listed, list) else []
    return tuple(file for file in found if file)


def _read_file(entry: Any) -> PublishedFile | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        return None
    parts = _read_parts(entry.get("parts"))
    if not parts:
        return None
    made = entry.get("made")
    params = entry.get("params")
    return PublishedFile(
        entry["type"],
        parts,
        _number(entry.get("bpw")),
        params if isinstance(params, int) else None,
        _number(entry.get("rmse")),
        _number(entry.get("kld")),
        Made(str(made.get("command")), str(made.get("ggufpress")), made.get("revision") and str(made.get("revision")))
        if isinstance(made, Mapping)
        else None,
    )


def _read_parts(data: Any) -> tuple[Part, ...]:
    if not isinstance(data, Sequence) or isinstance(data, str):
        return ()
    parts = []
    for part in data:
        path, nbytes, digest = (
            part.get(key) if isinstance(part, Mapping) else None for key in ("path", "bytes", "sha256")
        )
        if not (isinstance(path, str) and isinstance(nbytes, int) and isinstance(digest, str)):
            return ()
        parts.append(Part(path, nbytes, digest))
    return tuple(parts)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
