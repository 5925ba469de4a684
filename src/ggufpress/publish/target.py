"""Where files are published to, and what is there: a repository's branch or pull request, with its files' hashes."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from huggingface_hub import ModelInfo

from ggufpress.errors import HubError, RepositoryError, UsageError
from ggufpress.hub.patience import Patience
from ggufpress.hub.session import Session

MAIN = "main"
MAX_TEXT = 16 << 20
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """What a person asks for. `private` None: a new repository gets the Hub's default, an old one stays as it is."""

    repo: str
    private: bool | None = None
    branch: str = MAIN
    create_pr: bool = False

    def check(self) -> None:
        """Raise UsageError where it makes no sense."""
        if not _ID.fullmatch(self.repo) or "--" in self.repo or ".." in self.repo:
            raise UsageError(f"{self.repo!r} is no name of a repository", hint="write ORG/NAME or USER/NAME")
        if self.create_pr and self.branch != MAIN:
            raise UsageError(
                "--create-pr and --revision exclude each other", hint="a pull request is made against main"
            )


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a commit: its size, git's id of it, and its sha256 where it is a large one."""

    size: int
    oid: str
    sha256: str | None

    def is_(self, digest: str, oid: str | None = None) -> bool:
        """Whether it is the file with this sha256, or, where git keeps it itself, with this id."""
        return self.sha256 == digest if self.sha256 else oid is not None and self.oid == oid


@dataclass(frozen=True)
class RemoteState:
    """A branch as it is: the commit and its files, in the Hub's order."""

    commit: str
    private: bool
    gated: bool
    files: Mapping[str, RemoteFile]


def git_oid(content: bytes) -> str:
    """What git calls a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def read_state(session: Session, repo: str, revision: str | None, patience: Patience | None = None) -> RemoteState:
    """The state of a revision, None for the branch that is there by default. Raises GgufpressError where it cannot be seen."""

    def ask() -> ModelInfo:
        try:
            return session.api.model_info(repo, revision=revision, files_metadata=True)
        except json.JSONDecodeError as error:
            if patience is None:
                raise
            # the server has spoken JSON before: its answer was cut
            raise httpx2.DecodingError(str(error)) from None

    info = session.call(ask, session.asked(repo, revision), patience=patience)
    files = {
        one.rfilename: RemoteFile(one.size or 0, one.blob_id or "", one.lfs.sha256 if one.lfs else None)
        for one in info.siblings or []
    }
    return RemoteState(info.sha or "", bool(info.private), bool(info.gated), files)


def read_bytes(session: Session, repo: str, state: RemoteState, path: str) -> bytes | None:
    """A small file of a state, checked against its hash; None where it is not there.

    Raises HubError where the right bytes cannot be had.
    """
    wanted = state.files.get(path)
    if wanted is None:
        return None
    asked = session.asked(repo, state.commit, path)
    if wanted.size > MAX_TEXT:
        raise RepositoryError(f"{path} in {repo} has {wanted.size:,} bytes, too many to be updated")
    for _ in range(3):
        # the library keeps what it fetched, and a wrong byte must not stay
        with tempfile.TemporaryDirectory(prefix="ggufpress-") as folder:

            def fetch(cache: str = folder) -> str:
                return session.api.hf_hub_download(repo, path, revision=state.commit, cache_dir=cache)

            content = Path(session.call(fetch, asked, patience=session.steady)).read_bytes()
        if wanted.is_(hashlib.sha256(content).hexdigest(), git_oid(content)):
            return content
    raise HubError(f"{path} of {repo} arrives with other bytes than the Hub states", hint="run it again later")


def read_json(content: bytes | None) -> Any:
    """The value of a JSON file of a repository, None where there is none or it is broken."""
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def missing(state: RemoteState, wanted: Mapping[str, tuple[str, str | None]]) -> Sequence[str]:
    """Those of `wanted`, (sha256, git's id) by path, that a state does not hold as they should be."""
    return [
        path
        for path, (digest, oid) in wanted.items()
        if path not in state.files or not state.files[path].is_(digest, oid)
    ]
