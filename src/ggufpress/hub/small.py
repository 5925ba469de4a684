"""The small files of a repository, brought to the library's cache when they are asked for, and checked."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath

from huggingface_hub import hf_hub_download

from ggufpress.errors import CheckpointError, GgufpressError
from ggufpress.hub.local import whole_file
from ggufpress.hub.repository import MAIN, HubEntry, Repository
from ggufpress.source.folder import CONFIG

SUFFIXES = (".json", ".jinja", ".model", ".tiktoken")
TEXTS = ("README.md", "merges.txt", "vocab.txt")
MAX_BYTES = 1 << 30
"""No file that is read as a whole comes near this."""
MAX_AHEAD_BYTES = 64 << 20
CONNECTIONS = 8


class SmallHubFiles:
    """The files of `repository` that are read as a whole. All methods may be called from any thread."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._bringing: dict[str, threading.Lock] = {}
        self._paths: dict[str, Path] = {}
        self._stop = threading.Event()

    def names(self, folder: str = "") -> list[str]:
        """The names of the files in the checkpoint's folder or in one within it, sorted."""
        return sorted(name for name in self._repository.entries if str(PurePosixPath(name).parent) == (folder or "."))

    def has(self, name: str) -> bool:
        """Whether the file `name` exists."""
        return name in self._repository.entries

    def path(self, name: str) -> Path:
        """Where the file `name` is in the cache, once it is there and its hash was checked. Raises GgufpressError."""
        entry = self._repository.entries.get(name)
        if entry is None:
            raise CheckpointError(f"{self._repository.id}/{name} is missing")
        with self._lock:
            bringing = self._bringing.setdefault(name, threading.Lock())
        with bringing:
            if name not in self._paths:
                self._paths[name] = self._bring(entry)
            return self._paths[name]

    def bring_ahead(self) -> None:
        """Bring what a conversion will ask for, several files at a time. What fails is asked for again later, and then said."""
        wanted = [*self.names(), *self.names("additional_chat_templates")]
        self._bring_all(name for name in wanted if self._is_likely(name))

    def _bring_all(self, names: Iterable[str]) -> None:
        def bring(name: str) -> None:
            with suppress(GgufpressError):
                self.path(name)

        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="hub-small") as executor:
            list(executor.map(bring, names))

    def _is_likely(self, name: str) -> bool:
        likely = name in TEXTS or name.endswith(SUFFIXES)
        return likely and self._repository.entries[name].size <= MAX_AHEAD_BYTES

    def _bring(self, entry: HubEntry) -> Path:
        where = f"{self._repository.id}/{entry.name}"
        if entry.size > MAX_BYTES:
            raise CheckpointError(f"{where} has {entry.size:,} bytes, more than {MAX_BYTES:,}")
        # the config is asked for by the revision's name, which lets the cache know what that means
        if (entry.local and entry.name != CONFIG) or self._repository.offline:
            with suppress(CheckpointError):
                return self._checked(entry, entry.local or Path())
            if self._repository.offline:
                raise CheckpointError(
                    f"{where} is in the cache, but not as the Hub listed it", hint=f"remove it: rm {entry.local}"
                )
        try:
            return self._checked(entry, self._download(entry, entry.name == CONFIG))
        except CheckpointError:
            # what the cache or a proxy had is not what the Hub lists
            return self._checked(entry, self._download(entry, anew=True))

    def _download(self, entry: HubEntry, by_name: bool = False, *, anew: bool = False) -> Path:
        repository = self._repository
        revision = (repository.revision or MAIN) if by_name else repository.commit
        session = repository.session
        place = session.call(
            lambda: hf_hub_download(
                repository.id,
                entry.name,
                revision=revision,
                endpoint=session.endpoint,
                cache_dir=session.cache,
                token=session.token,
                library_name="ggufpress",
                force_download=anew,
            ),
            session.asked(repository.id, repository.revision, entry.name),
        )
        return Path(place)

    def _checked(self, entry: HubEntry, path: Path) -> Path:
        whole_file(entry, path, self._stop)
        return path
