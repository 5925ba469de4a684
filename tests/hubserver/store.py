"""What the test Hub holds: users with tokens, repositories with commits, files as git blobs or LFS objects.

Contents are bytes, or the path of a file on disk, which is served from there. Nothing here speaks HTTP.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

Content = bytes | Path

LFS_SUFFIXES = (".safetensors", ".gguf", ".bin", ".model", ".pt", ".pth", ".dat", ".zip")
LFS_SIZE = 10_000_000
DATE = "2026-01-02T03:04:05.000Z"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a commit. `oid` is the git blob's: for an LFS file, whose `sha256` is given, that of its pointer."""

    content: Content
    size: int
    oid: str
    sha256: str | None
    pointer_size: int = 0

    def read(self) -> bytes:
        """The whole content."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass(frozen=True, slots=True)
class Commit:
    """One state of a repository."""

    id: str
    parent: str | None
    title: str
    files: Mapping[str, File]
    description: str = ""


@dataclass(slots=True)
class Discussion:
    """A discussion or pull request; a pull request's changes are the branch `refs/pr/NUMBER`."""

    number: int
    title: str
    description: str
    author: str
    is_pull_request: bool
    status: str = "open"


@dataclass(slots=True)
class Repository:
    """A model repository. `gated` is False, "auto" or "manual"; `granted` are the users who were given access."""

    id: str
    private: bool = False
    gated: str | bool = False
    disabled: bool = False
    card: Mapping[str, object] | None = None
    granted: set[str] = field(default_factory=set)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    discussions: list[Discussion] = field(default_factory=list)

    @property
    def owner(self) -> str:
        """The user or organization before the slash."""
        return self.id.split("/", maxsplit=1)[0]

    def find(self, revision: str) -> Commit | None:
        """The commit of a branch, a tag, a pull request's reference or a commit id, whole or its first seven digits."""
        known = self.refs.get(revision) or self.tags.get(revision)
        if known is None and len(revision) >= 7:
            known = next((one for one in self.commits if one.startswith(revision)), None)
        return self.commits.get(known) if known else None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a token. `role` is what the token may do: read or write."""

    name: str
    token: str
    orgs: tuple[str, ...] = ()
    role: str = "write"

    def owns(self, repository: Repository) -> bool:
        """Whether the repository is this user's or an organization's of theirs."""
        return repository.owner in (self.name, *self.orgs)


class Store:
    """Everything on the Hub. All methods may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.expired: set[str] = set()
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, File] = {}
        """LFS objects by sha256, of every repository and before their commit."""
        self.parts: dict[tuple[str, int], bytes] = {}
        """Parts of multipart uploads that are not complete, by sha256 and number."""
        self.unchecked: dict[str, bytes] = {}
        """What was uploaded under a sha256, before the Hub has checked it."""

    def add_user(self, name: str, token: str, orgs: tuple[str, ...] = (), role: str = "write") -> User:
        """A user who logs in with `token`."""
        user = User(name, token, orgs, role)
        with self.lock:
            self.users[token] = user
        return user

    def create(self, repo: str, *, private: bool = False, gated: str | bool = False) -> Repository:
        """A new repository with an empty first commit on main."""
        with self.lock:
            made = self.repositories[repo] = Repository(repo, private, gated)
            first = _commit_id(repo, None, "initial commit", {})
            made.commits[first] = Commit(first, None, "initial commit", {})
            made.refs["main"] = first
            return made

    def commit(
        self,
        repo: str,
        changes: Mapping[str, Content | File | None],
        *,
        branch: str = "main",
        title: str = "Upload files",
        description: str = "",
    ) -> Commit:
        """Add, replace or (None) remove files on a branch."""
        found = {path: file_of(path, it) if isinstance(it, bytes | Path) else it for path, it in changes.items()}
        with self.lock:
            repository = self.repositories[repo]
            head = repository.commits[repository.refs[branch]]
            files = dict(head.files)
            for path, file in found.items():
                if file is None:
                    files.pop(path, None)
                else:
                    files[path] = file
                    if file.sha256:
                        self.objects[file.sha256] = file
            made = Commit(_commit_id(repo, head.id, title, files), head.id, title, files, description)
            repository.commits[made.id] = made
            repository.refs[branch] = made.id
            return made

    def spoil(self, repo: str, path: str, content: Content, *, branch: str = "main") -> None:
        """Let a file hold other bytes than its hashes say. The size may differ, too: what the Hub states does not."""
        with self.lock:
            repository = self.repositories[repo]
            head = repository.commits[repository.refs[branch]]
            file = replace(head.files[path], content=content)
            repository.commits[head.id] = replace(head, files={**head.files, path: file})
            if file.sha256:
                self.objects[file.sha256] = file


def add_folder(store: Store, repo: str, folder: Path) -> Commit:
    """A commit with every file of `folder`, created where the repository does not exist. Large files stay on disk."""
    if repo not in store.repositories:
        store.create(repo)
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return store.commit(repo, {name: path if is_lfs(name, path) else path.read_bytes() for name, path in files.items()})


def is_lfs(path: str, content: Content) -> bool:
    """Whether the Hub would keep this file as an LFS object."""
    return path.endswith(LFS_SUFFIXES) or _size(content) >= LFS_SIZE


def file_of(path: str, content: Content) -> File:
    """The file with this content, hashed as git and git-lfs do."""
    if not is_lfs(path, content):
        data = content if isinstance(content, bytes) else content.read_bytes()
        return File(data, len(data), git_oid(data), None)
    return lfs_file(content, _sha256(content))


def lfs_file(content: Content, sha256: str) -> File:
    """The LFS file with this content, which has this hash."""
    size = _size(content)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    return File(content, size, git_oid(pointer), sha256, len(pointer))


def git_oid(data: bytes) -> str:
    """The id that git gives a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _sha256(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _commit_id(repo: str, parent: str | None, title: str, files: Mapping[str, File]) -> str:
    listed = "".join(f"{path} {file.oid}\n" for path, file in sorted(files.items()))
    return hashlib.sha1(f"{repo}\n{parent}\n{title}\n{listed}".encode()).hexdigest()
