"""A repository on the Hub, pinned to one commit: its files with their sizes and hashes, and who may read them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import RepoFile

from ggufpress.errors import GgufpressError, HubError, RepositoryError
from ggufpress.hub.address import HubAddress
from ggufpress.hub.patience import ONCE
from ggufpress.hub.session import READ, Session

MAIN = "main"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_FILES = 100_000
SUGGESTED = 100


@dataclass(frozen=True, slots=True)
class HubEntry:
    """One file of a commit: `oid` is the id of its git blob, `sha256` that of the content where the Hub keeps it as LFS.

    `local` is its place in the cache, where it is there, and `checked` says that its hash was found right there. Without a
    hash nothing can be checked.
    """

    name: str
    size: int
    oid: str | None
    sha256: str | None
    local: Path | None = None
    checked: bool = False


@dataclass(frozen=True, eq=False)
class Repository:
    """The files of `id` at `commit`, by name. `revision` is what was asked for, `gated` whether access is asked for.

    `offline`: only what is in the cache counts.
    """

    session: Session
    id: str
    revision: str | None
    commit: str
    entries: Mapping[str, HubEntry]
    gated: bool = False
    offline: bool = False

    def __str__(self) -> str:
        return f"{self.id}@{self.commit[:7]}"


def pinned(session: Session, address: HubAddress) -> Repository:
    """The repository at the commit that its revision means now; offline, when it was last downloaded.

    Raises RepositoryError for what is missing, private or gated, HubError where the Hub fails.
    """
    if constants.is_offline_mode():
        return _from_cache(session, address)
    asked = session.asked(address.repo, address.revision)
    try:
        info = session.call(lambda: _info(session, address), asked)
    except RepositoryError as error:
        raise _with_suggestion(error, session, address) from None
    entries, commit = {entry.name: entry for entry in _entries(info)}, info.sha
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise _no_hub(session)
    if any(entry.size < 0 for entry in entries.values()):
        listed = session.call(lambda: _listed(session, address.repo, commit), asked)
        entries = {entry.name: entry for entry in listed}
    found = {name: _with_local(session, address.repo, commit, entry) for name, entry in entries.items()}
    return Repository(session, address.repo, address.revision, commit, found, bool(info.gated))


def _info(session: Session, address: HubAddress) -> Any:
    return session.api.model_info(address.repo, revision=address.revision, files_metadata=True, timeout=READ)


def _entries(info: Any) -> Iterable[HubEntry]:
    """The files; a size of -1 where it is not stated."""
    for file in (info.siblings or [])[:MAX_FILES]:
        yield _entry(file.rfilename, file.lfs.size if file.lfs else file.size, file.blob_id, file.lfs)


def _listed(session: Session, repo: str, commit: str) -> list[HubEntry]:
    tree = session.api.list_repo_tree(repo, recursive=True, revision=commit)
    files = [item for item in tree if isinstance(item, RepoFile)]
    return [_entry(file.path, file.size, file.blob_id, file.lfs) for file in files]


def _entry(name: Any, size: Any, oid: Any, lfs: Any) -> HubEntry:
    size = size if isinstance(size, int) and size >= 0 else -1
    sha256 = lfs.sha256 if lfs and isinstance(lfs.sha256, str) and _SHA256.fullmatch(lfs.sha256) else None
    return HubEntry(str(name), size, oid if isinstance(oid, str) and _COMMIT.fullmatch(oid) else None, sha256)


def _with_local(session: Session, repo: str, commit: str, entry: HubEntry) -> HubEntry:
    """The entry, with its place where the cache has the file: under this commit, or as a blob of another."""
    if ".." in entry.name.split("/"):
        return entry
    found = try_to_load_from_cache(repo, entry.name, cache_dir=session.cache, revision=commit)
    places = [Path(found)] if isinstance(found, str) else []
    if hash_ := entry.sha256 or entry.oid:
        folder = repo_folder_name(repo_id=repo, repo_type="model")
        places.append(Path(session.cache) / folder / "blobs" / hash_)
    local = next((place for place in places if place.is_file() and place.stat().st_size == entry.size), None)
    return HubEntry(entry.name, entry.size, entry.oid, entry.sha256, local) if local else entry


def _from_cache(session: Session, address: HubAddress) -> Repository:
    place = try_to_load_from_cache(
        address.repo, address.file or "config.json", cache_dir=session.cache, revision=address.revision
    )
    if not isinstance(place, str):
        raise HubError(
            f"{address} is not in the cache, and HF_HUB_OFFLINE is set",
            hint=f"unset it, or download the model where there is a connection: hf download {address.repo}",
        )
    snapshots = Path(session.cache) / repo_folder_name(repo_id=address.repo, repo_type="model") / "snapshots"
    commit = Path(place).relative_to(snapshots).parts[0]
    root = snapshots / commit
    entries = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            # the cache names a blob by its hash
            blob = path.resolve().name
            sha256, oid = _SHA256.fullmatch(blob), _COMMIT.fullmatch(blob)
            name = path.relative_to(root).as_posix()
            size = path.stat().st_size
            entries[name] = HubEntry(name, size, oid[0] if oid else None, sha256[0] if sha256 else None, path)
    return Repository(session, address.repo, address.revision, commit, entries, offline=True)


def _with_suggestion(error: RepositoryError, session: Session, address: HubAddress) -> RepositoryError:
    """The error, with the name or revision that may have been meant in its hint, where one is found without trouble."""
    try:
        if "no revision" in str(error):
            wanted, known = address.revision or "", _revisions(session, address.repo)
        elif "gated" in str(error):
            return error
        else:
            wanted, known = address.repo, _models(session, address.repo)
    except GgufpressError:
        return error
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wanted.lower(), by_lower, n=1)
    if near:
        return RepositoryError(str(error), hint=f"did you mean {by_lower[near[0]]}? Else {error.hint}")
    return error


def _models(session: Session, repo: str) -> list[str]:
    owner, _, name = repo.partition("/")

    def search() -> list[str]:
        found = [
            *session.api.list_models(author=owner, limit=SUGGESTED),
            *session.api.list_models(search=name or owner, limit=SUGGESTED),
        ]
        return [model.id for model in found]

    return session.call(search, session.asked(), patience=ONCE)


def _revisions(session: Session, repo: str) -> list[str]:
    refs = session.call(lambda: session.api.list_repo_refs(repo), session.asked(repo), patience=ONCE)
    return [ref.name for ref in (*refs.branches, *refs.tags)]


def _no_hub(session: Session) -> HubError:
    return HubError(
        f"{session.endpoint} does not answer as the Hub does: the commit is missing",
        hint="HF_ENDPOINT, a proxy or a firewall may lead elsewhere",
    )
