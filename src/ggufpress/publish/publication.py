"""A push under way: opened first, given models as they are finished, committed as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ggufpress.errors import HubError
from ggufpress.execute.manifest import manifest_path
from ggufpress.gguf.values import Metadata
from ggufpress.hub.session import Session
from ggufpress.publish.card import MANIFEST
from ggufpress.publish.consent import check_consent, with_what_the_hub_says
from ggufpress.publish.contents import CARD, Existing, all_files, small_files, title_of
from ggufpress.publish.describing import LocalModel, chat_facts, context_length, published, sha256_of
from ggufpress.publish.facts import CardFacts, Made, PublishedFile, Source
from ggufpress.publish.names import imatrix_path
from ggufpress.publish.repository import Committed, Moved, Repository
from ggufpress.publish.run_commands import three_commands
from ggufpress.publish.sending import Progress, Sender, Sending, Upload
from ggufpress.publish.target import RemoteState, Target, git_oid, missing, read_bytes, read_json

REBASES = 5
"""How often a commit is made anew because somebody else was quicker."""
MAX_REGULAR = 10_000_000
"""Bytes of the largest file that git may keep itself. Source: huggingface.co/docs/hub/repositories-recommendations."""


@dataclass(frozen=True)
class About:
    """What is published, besides the models: `metadata` are the keys of one of them.

    `made` is how the files of this run came to be, None where that is not known; `imatrix` is what they were made with;
    `card` False leaves README.md alone.
    """

    source: Source
    metadata: Metadata
    made: Made | None = None
    imatrix: Path | None = None
    consent: bool = False
    card: bool = True


@dataclass(frozen=True)
class Outcome:
    """What a push came to. `sent` are the paths that went over the line, `there` those that had not to."""

    page: str
    committed: Committed | None
    files: tuple[PublishedFile, ...]
    sent: tuple[str, ...]
    there: tuple[str, ...]
    commands: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        pull = self.committed is not None and self.committed.pull_request
        return {
            "repository": self.page,
            "commit": self.committed.url if self.committed and not pull else None,
            "pull_request": self.committed.url if self.committed and pull else None,
            "files": [file.to_json() for file in self.files],
            "sent": list(self.sent),
            "already_there": list(self.there),
            "commands": dict(self.commands),
        }


class Publication:
    """A context manager. Until `commit` nothing of it can be seen; on an error the repository stays as it is."""

    def __init__(
        self,
        session: Session,
        target: Target,
        about: About,
        types: Sequence[str],
        *,
        progress: Progress | None = None,
    ) -> None:
        self._session, self._target, self._about = session, target, about
        self._repository = Repository(session, target, title=title_of(about.source.name, types))
        self._chat = chat_facts(about.metadata)
        self._progress = progress
        self._new: list[PublishedFile] = []
        self._wanted: dict[str, tuple[str, str | None]] = {}
        self._uploads: dict[str, Upload] = {}
        self._sent: list[str] = []
        self._there: list[str] = []
        self._committed: Committed | None = None
        self._source = about.source
        self._sending: Sending | None = None
        self._opened: RemoteState | None = None

    def __enter__(self) -> Publication:
        """Open the target. Raises GgufpressError where it must not or cannot be written."""
        before = self._repository.look()
        self._source = with_what_the_hub_says(self._session, self._source)
        public = self._target.private is not True if before is None else not before.private
        check_consent(self._source, self._target.repo, public=public, consent=self._about.consent)
        self._opened = self._repository.open()
        # a card that cannot be updated is known before the work
        self._small(self._opened, None)
        sender = Sender(
            self._session,
            self._target.repo,
            self._target.branch,
            create_pr=self._target.create_pr,
            progress=self._progress,
        )
        self._sending = Sending(sender)
        return self

    def __exit__(self, *_: object) -> None:
        if self._sending:
            self._sending.__exit__()

    @property
    def source(self) -> Source:
        """The source, with what the Hub says of it."""
        return self._source

    def holds(self, files: Mapping[str, str]) -> bool:
        """Whether the target holds files with these sha256, by path."""
        assert self._opened is not None
        return not missing(self._opened, {path: (digest, None) for path, digest in files.items()})

    def there(self, paths: Sequence[str]) -> None:
        """Note that these files of the target need not be sent: it holds them."""
        self._there += paths

    def add(self, model: LocalModel, digests: Sequence[str]) -> None:
        """Begin to send a model, whose files have the sha256 `digests`, with the manifest beside it, where there is one."""
        made = self._about.made and replace(self._about.made, revision=self._source.revision)
        self._new.append(published(model, made, digests))
        for path, file, digest in zip(model.paths, model.files, digests, strict=True):
            self._send(path, file, digest)
        described = manifest_path(model.files[0])
        if described.is_file():
            content = described.read_bytes()
            self._send(f"{model.paths[0]}.manifest.json", described, hashlib.sha256(content).hexdigest())

    def _send(self, path: str, file: Path, digest: str) -> None:
        assert self._opened is not None
        assert self._sending is not None
        size = file.stat().st_size
        oid = git_oid(file.read_bytes()) if size < MAX_REGULAR else None
        self._wanted[path] = (digest, oid)
        self._uploads[path] = Upload(path, file, size, digest)
        if path in self._opened.files and self._opened.files[path].is_(digest, oid):
            self._there.append(path)
        else:
            self._sent.append(path)
            self._sending.put(self._uploads[path])

    def check(self) -> None:
        """Raise what an upload failed with, where one did."""
        assert self._sending is not None
        self._sending.check()

    def wait(self) -> None:
        """Return when everything that was added has arrived."""
        assert self._sending is not None
        self._sending.wait()

    def commit(self) -> Outcome:
        """Make everything that was added visible at once, with card and manifest. Raises GgufpressError."""
        assert self._sending is not None
        imatrix = self._about.imatrix
        place = imatrix_path(imatrix.name, self._source.name.replace(" ", "-").replace("/", "-")) if imatrix else None
        if imatrix and place and place not in self._wanted:
            self._send(place, imatrix, sha256_of(imatrix))
        operations = self._sending.wait()
        for _ in range(REBASES):
            state = self._repository.state()
            facts, small = self._small(state, place)
            wanted = self._wanted | {
                path: (hashlib.sha256(content).hexdigest(), git_oid(content)) for path, content in small.items()
            }
            absent = missing(state, wanted)
            if not absent:
                return self._outcome(facts)
            for path in absent:
                # it was there when we looked first, and somebody has removed it
                if path in self._uploads and path not in operations:
                    self._sending.put(self._uploads[path])
            operations = self._sending.wait()
            try:
                self._committed = self._repository.commit(
                    {
                        path: operations.get(path) or small[path]
                        for path in absent
                        if path in operations or path in small
                    },
                    wanted,
                    state,
                    _message(absent, facts),
                )
            except Moved:
                continue
            self._opened = self._repository.state()
            return self._outcome(facts)
        raise HubError(
            f"{self._target.repo} is changed by others again and again", hint="run the same command again later"
        )

    def _small(self, state: RemoteState, imatrix: str | None) -> tuple[CardFacts, dict[str, bytes]]:
        """The card's facts and the small files, for a repository in this state."""
        repo, session = self._target.repo, self._session
        card = read_bytes(session, repo, state, CARD) if self._about.card else None
        listed = read_bytes(session, repo, state, MANIFEST)
        text = card.decode("utf-8", "replace") if card is not None else None
        existing = Existing(state.files, text, read_json(listed))
        files = all_files(self._new, existing)
        before = existing.manifest.get("imatrix") if isinstance(existing.manifest, dict) else None
        kept = before if isinstance(before, str) and before in state.files else None
        facts = CardFacts(
            repo,
            self._source,
            files,
            str(self._about.metadata["general.architecture"].data) if self._about.metadata else "",
            next((file.n_params for file in files if file.n_params), None),
            context_length(self._about.metadata),
            self._chat.prompt,
            imatrix or kept,
            any("/" not in file.path for file in files),
            state.private,
        )
        return facts, small_files(facts, self._chat, existing, card=self._about.card)

    def _outcome(self, facts: CardFacts) -> Outcome:
        committed = self._committed or self._repository.pull_request
        commands = three_commands(self._target.repo, self._new or facts.files, facts.paths)
        return Outcome(
            self._repository.page, committed, facts.files, tuple(self._sent), tuple(self._there), tuple(commands)
        )


def _message(absent: Sequence[str], facts: CardFacts) -> str:
    types = [file.type for file in facts.files if any(part.path in absent for part in file.parts)]
    return title_of(facts.source.name, types) if types else "Update the model card"
