"""The bytes of files on their way to the Hub, in the background, so often as it takes. Nothing is visible before a commit."""

from __future__ import annotations

import io
import json
import os
import queue
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote, urlsplit

import httpx2
from huggingface_hub import CommitOperationAdd, constants, errors
from huggingface_hub.utils import hf_raise_for_status

from ggufpress.errors import GgufError, GgufpressError, HubError
from ggufpress.files import reason
from ggufpress.hub.patience import RETRIED
from ggufpress.hub.refusals import Cut, may_succeed_later, status_of
from ggufpress.hub.session import Attempts, Cancelled, Session

WORKERS = 2

Progress = Callable[[str, int, int], None]
"""Told path, bytes sent and bytes in all; from any thread."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file for the repository, which has this sha256."""

    path: str
    file: Path
    nbytes: int
    sha256: str


def takes_xet(session: Session, repo: str, revision: str, *, create_pr: bool = False) -> bool:
    """Whether the server stores files through Xet: it gives out tokens for that, and the library can use them.

    The library itself does not ask, and fails on a server without Xet.
    Source: huggingface_hub/utils/_xet.py, xet_connection_info_refresh_url, parse_xet_connection_info_from_headers.
    """
    if constants.HF_HUB_DISABLE_XET or find_spec("hf_xet") is None:
        return False
    name = "None" if create_pr else quote(revision, safe="")
    url = f"{session.endpoint}/api/models/{repo}/xet-write-token/{name}{'?create_pr=1' if create_pr else ''}"

    def ask() -> httpx2.Response:
        found = session.client().get(url, headers=session.headers)
        if found.status_code in RETRIED:
            hf_raise_for_status(found)
        return found

    try:
        headers = session.call(ask, session.asked(repo, revision)).headers
    except HubError:
        return False
    return all(
        name in headers
        for name in (constants.HUGGINGFACE_HEADER_X_XET_ENDPOINT, constants.HUGGINGFACE_HEADER_X_XET_ACCESS_TOKEN)
    )


def hush_the_library() -> None:
    """No warnings of the library's: what a server says of a card, and what its HTTP client says of the library."""
    warnings.filterwarnings("ignore", module=r"(huggingface_hub|httpx2)\b")


class FileOnItsWay(io.BufferedIOBase):
    """A local file as the library reads it: tells how far it is, and stops when nobody wants it any more.

    The library sends an open file as LFS where it would send a path through Xet.
    """

    def __init__(self, upload: Upload, progress: Progress | None, stop: threading.Event) -> None:
        self._upload, self._stop = upload, stop
        self._progress: Progress | None = None
        try:
            self._raw = upload.file.open("rb")
        except OSError as error:
            raise GgufError(f"{upload.file} cannot be opened: {reason(error)}") from error
        # hashing comes first, and is no progress
        self._later = progress

    def sending(self) -> None:
        """From now on what is read is sent."""
        self._progress = self._later

    def read(self, size: int | None = -1) -> bytes:
        """Some bytes. Raises Cancelled, or GgufError where the disk fails."""
        if self._stop.is_set():
            raise Cancelled
        try:
            data = self._raw.read(size)
        except OSError as error:
            raise GgufError(f"{self._upload.file} cannot be read: {reason(error)}") from error
        if self._progress:
            self._progress(self._upload.path, min(self._raw.tell(), self._upload.nbytes), self._upload.nbytes)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As files do."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """As files do."""
        return self._raw.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._raw.close()
        super().close()


class Sender:
    """Sends files to the store of one repository, where a later commit finds them."""

    def __init__(
        self,
        session: Session,
        repo: str,
        revision: str,
        *,
        create_pr: bool = False,
        progress: Progress | None = None,
    ) -> None:
        hush_the_library()
        self._session, self._repo, self._revision, self._create_pr = session, repo, revision, create_pr
        self._progress = progress
        self.stop = threading.Event()
        self._xet: bool | None = None
        self._lock = threading.Lock()

    def send(self, upload: Upload) -> CommitOperationAdd:
        """The operation that a commit needs, once all bytes are in the store and their hash was checked there.

        Raises GgufpressError, or Cancelled.
        """
        asked = self._session.asked(self._repo, self._revision, upload.path)
        attempts = Attempts(asked, self._session.steady, self._wait, self._session.say)
        xet = self._uses_xet()
        while True:
            try:
                return self._once(upload, xet=xet)
            except (Cancelled, GgufpressError):
                raise
            except Exception as error:
                found = self._worth_a_try(error, upload)
                if xet and status_of(found) is None:
                    # Xet has tried long by itself; a firewall may let the older way through
                    xet, found = False, Cut(upload.path)
                    self._session.say(f"Xet cannot be reached: {upload.path} goes by plain HTTP")
                attempts.failed(found)

    def _once(self, upload: Upload, *, xet: bool) -> CommitOperationAdd:
        stream = None if xet else FileOnItsWay(upload, self._progress, self.stop)
        try:
            made = CommitOperationAdd(upload.path, cast(BinaryIO, stream) if stream else str(upload.file))
            self._check(made, upload, xet=xet)
            if stream:
                stream.sending()
            self._session.api.preupload_lfs_files(
                self._repo,
                [made],
                revision=self._revision,
                create_pr=self._create_pr,
                num_threads=1,
                free_memory=False,
            )
            self._check(made, upload, xet=False)
        finally:
            if stream:
                stream.close()
        # a small file may be no LFS file here: then the commit holds its bytes
        if made._upload_mode == "regular":
            return CommitOperationAdd(upload.path, upload.file.read_bytes())
        return made

    def _check(self, made: CommitOperationAdd, upload: Upload, *, xet: bool) -> None:
        # through Xet the hash is known at the end alone
        if made.upload_info.size != upload.nbytes or (not xet and made.upload_info.sha256.hex() != upload.sha256):
            raise GgufError(f"{upload.file} has changed since it was verified", hint="run it again")

    def _uses_xet(self) -> bool:
        with self._lock:
            if self._xet is None:
                self._xet = takes_xet(self._session, self._repo, self._revision, create_pr=self._create_pr)
            return self._xet

    def _wait(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Cancelled

    def _worth_a_try(self, error: Exception, upload: Upload) -> Exception:
        """The error that the upload met: one that asks for another try where that may help."""
        # the library wraps what an upload meets in a bare RuntimeError
        plain = error.__cause__ if type(error) is RuntimeError and isinstance(error.__cause__, Exception) else error
        if isinstance(plain, Cancelled | GgufpressError):
            raise plain
        found = status_of(plain)
        if isinstance(plain, json.JSONDecodeError):
            # the server has spoken JSON before: its answer was cut
            return Cut(upload.path)
        if found is None:
            ours = isinstance(plain, httpx2.HTTPError | OSError | ValueError | KeyError | errors.HFValidationError)
            return plain if ours else Cut(f"{upload.path}: {type(plain).__name__}")
        if may_succeed_later(plain) or not isinstance(plain, errors.HfHubHTTPError):
            return plain
        # elsewhere than at the Hub: a signed address that has expired, a part that was lost. A new batch gives new ones.
        # At the Hub: what arrived is not what was announced.
        elsewhere = urlsplit(str(plain.response.url)).netloc != urlsplit(self._session.endpoint).netloc
        return Cut(upload.path) if elsewhere or found[0] in (400, 409, 422) else plain


class Sending:
    """Uploads in the background, in the order in which they are given. A context manager; leaving it on an error stops them."""

    def __init__(self, sender: Sender, workers: int = WORKERS) -> None:
        self._sender = sender
        self._queue: queue.SimpleQueue[Upload | None] = queue.SimpleQueue()
        self._done: dict[str, CommitOperationAdd] = {}
        self._error: BaseException | None = None
        self._waiting = 0
        self._changed = threading.Condition()
        self._workers = [threading.Thread(target=self._work, daemon=True, name="upload") for _ in range(workers)]
        for worker in self._workers:
            worker.start()

    def put(self, upload: Upload) -> None:
        """Send a file when those before it are under way."""
        with self._changed:
            self._waiting += 1
        self._queue.put(upload)

    def check(self) -> None:
        """Raise what an upload failed with, where one did."""
        with self._changed:
            if self._error:
                raise self._error

    def wait(self) -> dict[str, CommitOperationAdd]:
        """The operations of all files that were given so far, by path, when the last has arrived."""
        with self._changed:
            while self._waiting and not self._error:
                # a wait without an end would let no signal through
                self._changed.wait(1.0)
        self.check()
        return dict(self._done)

    def __enter__(self) -> Sending:
        return self

    def __exit__(self, *_: object) -> None:
        self._sender.stop.set()
        for _worker in self._workers:
            self._queue.put(None)

    def _work(self) -> None:
        while (upload := self._queue.get()) is not None:
            try:
                done = self._sender.send(upload)
            except BaseException as error:
                with self._changed:
                    self._error = self._error or error
                    self._changed.notify_all()
                # the others stop, too: what has arrived stays in the store, and is not sent again
                self._sender.stop.set()
                return
            with self._changed:
                self._done[upload.path] = done
                self._waiting -= 1
                self._changed.notify_all()
