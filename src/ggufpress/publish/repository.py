"""One repository on the Hub, written to: made where it is missing, changed by whole commits, never half.

A commit whose reply is lost is looked for before it is made again, so that nothing is committed or proposed twice.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import CommitInfo, CommitOperationAdd

from ggufpress.errors import GgufpressError, HubError, RepositoryError, UsageError, VerifyError
from ggufpress.hub.refusals import Cut, explained, is_no_answer_of_the_hub, status_of
from ggufpress.hub.session import Attempts, Session
from ggufpress.publish.sending import hush_the_library
from ggufpress.publish.target import MAIN, RemoteState, Target, missing, read_state

Wanted = Mapping[str, tuple[str, str | None]]
"""By path the sha256 of a file, and git's id of it where git may keep it itself."""

LOOKS = 4
"""How often a state is read that should show a commit, before it counts as wrong."""
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PULL = re.compile(r"refs/pr/(\d+)")


class Moved(Exception):
    """Somebody else has changed the branch since its state was read."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit left behind: the address of the commit or of the pull request, for people."""

    url: str
    pull_request: bool = False


class Repository:
    """A target, opened. `revision` is the branch or pull request that is changed; `pull` whether one is yet to be opened."""

    def __init__(self, session: Session, target: Target, *, title: str) -> None:
        target.check()
        hush_the_library()
        self.session, self.target, self.title = session, target, title
        self.revision = target.branch
        self.pull = False
        self._pulls_before: frozenset[str] | None = None

    @property
    def page(self) -> str:
        """The repository's page, for people."""
        return f"{self.session.endpoint}/{self.target.repo}"

    @property
    def pull_request(self) -> Committed | None:
        """The pull request that is changed, None where it is a branch."""
        match = _PULL.fullmatch(self.revision)
        return Committed(f"{self.page}/discussions/{match[1]}", True) if match else None

    def look(self) -> RemoteState | None:
        """The state of the target, None where the repository is yet to be made. Changes nothing. Raises GgufpressError."""
        repo = self.target.repo
        if not self.session.has_token:
            raise HubError("nobody is logged in", hint="ggufpress login, or set HF_TOKEN")
        try:
            state = read_state(self.session, repo, None)
        except RepositoryError:
            if self.target.create_pr:
                raise
            return None
        if self.target.private is not None and state.private != self.target.private:
            is_, asked = ("private", "--public") if state.private else ("public", "--private")
            raise UsageError(
                f"{repo} is {is_}, and {asked} was asked for",
                hint=f"leave {asked} out, or change it first: {self.page}/settings",
            )
        return state

    def open(self) -> RemoteState:
        """The state to which files are added; the repository and its branch are made where they are missing."""
        repo, session = self.target.repo, self.session
        state = self.look()
        if state is None:
            self._create()
            state = self._new()
        if self.target.create_pr:
            return self._open_pull(state)
        if self.target.branch != MAIN:
            asked = session.asked(repo, self.target.branch)
            branch = self.target.branch
            session.call(lambda: session.api.create_branch(repo, branch=branch, exist_ok=True), asked)
            state = read_state(session, repo, branch)
        return state

    def _create(self) -> None:
        repo, private = self.target.repo, self.target.private
        asked = self.session.asked(repo)
        try:
            self.session.call(lambda: self.session.api.create_repo(repo, private=private, exist_ok=True), asked)
        except GgufpressError as error:
            try:
                read_state(self.session, repo, None)
            except GgufpressError:
                raise HubError(
                    f"{repo} cannot be made: {error}", hint="the token must be allowed to write there: ggufpress whoami"
                ) from error

    def _new(self) -> RemoteState:
        """The state of a repository that was just made: it may have no commit, and then no branch."""
        try:
            return read_state(self.session, self.target.repo, None, self.session.steady)
        except RepositoryError:
            return RemoteState("", self.target.private is True, False, {})

    def _open_pull(self, main: RemoteState) -> RemoteState:
        """The state of our own pull request where a run before this one has opened it, else of main."""
        self.pull = True
        self._pulls_before = self._pulls()
        if (mine := self._my_pull()) is not None:
            self.revision, self.pull = f"refs/pr/{mine}", False
            return read_state(self.session, self.target.repo, self.revision)
        return main

    def _my_pull(self) -> int | None:
        repo, api = self.target.repo, self.session.api
        asked = self.session.asked(repo)
        try:
            me = self.session.call(api.whoami, asked).get("name")
            listed = self.session.call(
                lambda: list(api.get_repo_discussions(repo, author=me, discussion_type="pull_request")), asked
            )
        except GgufpressError:
            return None
        own = [one for one in listed if one.is_pull_request and one.author == me and one.title == self.title]
        return max((one.num for one in own if one.status in ("open", "draft")), default=None)

    def _pulls(self) -> frozenset[str] | None:
        """The references of all pull requests, None where the server does not list them."""
        repo, api = self.target.repo, self.session.api
        asked = self.session.asked(repo)
        try:
            refs = self.session.call(lambda: api.list_repo_refs(repo, include_pull_requests=True), asked)
            return frozenset(one.ref for one in refs.pull_requests or [])
        except GgufpressError:
            pass
        try:
            listed = self.session.call(lambda: list(api.get_repo_discussions(repo)), asked)
        except GgufpressError:
            return None
        return frozenset(f"refs/pr/{one.num}" for one in listed if one.is_pull_request)

    def state(self) -> RemoteState:
        """The state as it is now."""
        if self.revision == MAIN:
            return self._new()
        return read_state(self.session, self.target.repo, self.revision, self.session.steady)

    def commit(
        self, changes: Mapping[str, CommitOperationAdd | bytes], wanted: Wanted, parent: RemoteState, message: str
    ) -> Committed:
        """Add files, by path what was sent before or small contents, in one commit on top of `parent`.

        Afterwards the branch holds `wanted`. Raises Moved where the branch is not at `parent` any more, VerifyError
        where the Hub shows other files afterwards, GgufpressError where the commit cannot be made.
        """
        made = self._made(changes, wanted, parent, message)
        for look in range(LOOKS):
            state = self.state()
            if not (wrong := missing(state, wanted)):
                return made
            if state.commit != parent.commit and look == LOOKS - 1:
                break
            time.sleep(self.session.steady.pause(look + 1))
        raise VerifyError(f"{self.target.repo} does not hold {wrong[0]} as it was sent", hint=f"see {self.page}")

    def _made(
        self, changes: Mapping[str, CommitOperationAdd | bytes], wanted: Wanted, parent: RemoteState, message: str
    ) -> Committed:
        asked = self.session.asked(self.target.repo, self.revision)
        attempts = Attempts(asked, self.session.steady, time.sleep, self.session.say)
        while True:
            try:
                # what was sent is referred to; small contents are asked about anew each time
                operations = [
                    CommitOperationAdd(path, change) if isinstance(change, bytes) else change
                    for path, change in changes.items()
                ]
                return self._committed(self._post(operations, parent, message))
            except GgufpressError:
                raise
            except Exception as caught:
                error: Exception = caught
                status = (status_of(error) or (0, {}))[0]
                # the server has spoken JSON before: its answer was cut
                error = Cut(self.revision) if isinstance(error, json.JSONDecodeError) else error
                if status == 0 and is_no_answer_of_the_hub(error):
                    raise explained(error, asked) from None
                failure = self._waited(attempts, error, status)
            # what failed may have been done all the same
            if found := self._found(wanted):
                return found
            if failure:
                raise failure
            if status in (409, 412):
                raise Moved

    def _waited(self, attempts: Attempts, error: Exception, status: int) -> GgufpressError | None:
        """Wait before another try; the error where there is to be none."""
        if status in (409, 412):
            return None
        try:
            attempts.failed(error)
        except GgufpressError as failure:
            return failure
        return None

    def _post(self, operations: Sequence[CommitOperationAdd], parent: RemoteState, message: str) -> CommitInfo:
        known = _OID.fullmatch(parent.commit) and not self.pull
        return self.session.api.create_commit(
            self.target.repo,
            operations=operations,
            commit_message=self.title if self.pull else message,
            commit_description="Made with ggufpress.",
            revision=MAIN if self.pull else self.revision,
            create_pr=self.pull,
            parent_commit=parent.commit if known else None,
        )

    def _committed(self, info: CommitInfo) -> Committed:
        if self.pull and info.pr_url:
            self.revision, self.pull = f"refs/pr/{info.pr_url.rstrip('/').rsplit('/', 1)[-1]}", False
        return self._done(info.commit_url)

    def _done(self, url: str) -> Committed:
        return self.pull_request or Committed(url)

    def _found(self, wanted: Wanted) -> Committed | None:
        """The commit whose reply was lost, where there is one: the files are where they should be."""
        if not self.pull:
            state = self.state()
            return None if missing(state, wanted) else self._done(f"{self.page}/commit/{state.commit}")
        now = self._pulls()
        if now is None or self._pulls_before is None:
            raise HubError(
                "the reply to the pull request was lost, and the Hub does not list those there are",
                hint=f"see whether it is there before running it again: {self.page}/discussions",
            )
        for ref in sorted(now - self._pulls_before, key=lambda ref: int(ref.rsplit("/", 1)[-1]), reverse=True):
            if not missing(read_state(self.session, self.target.repo, ref, self.session.steady), wanted):
                self.revision, self.pull = ref, False
                return self._done("")
        return None
