"""Ranges of a repository's files by HTTP, each retried and resumed at the byte at which it broke.

The Hub answers for a large file with a redirect to a signed URL on another host, which is good for many ranges until it
expires. The token goes to the Hub alone.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

from ggufpress.errors import CheckpointError, HubError
from ggufpress.hub.patience import Patience
from ggufpress.hub.refusals import Answered, Cut
from ggufpress.hub.repository import HubEntry, Repository
from ggufpress.hub.session import CONNECT, Attempts, Cancelled

REDIRECTS = (301, 302, 303, 307, 308)
EXPIRED = (400, 401, 403, 404, 410)
"""What hosts of signed URLs answer when one is no good any more."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Location:
    """Where a file's bytes are: `is_hub` says whether the token may go there."""

    url: str
    is_hub: bool


class NoRanges(Cut):
    """The server sent the whole file instead of a range."""


class Ranges:
    """Fetches ranges of one repository's files, from many threads. `stop` ends all waiting with Cancelled.

    `locations` are those that are known so far, and kept up to date.
    """

    def __init__(
        self,
        repository: Repository,
        stop: threading.Event,
        locations: dict[str, Location],
        patience: Patience | None = None,
    ) -> None:
        self._repository = repository
        self._stop = stop
        self._patience = patience or repository.session.steady
        self._lock = threading.Lock()
        self._locations = locations
        self._asking: dict[str, threading.Lock] = {}
        self._open: set[socket.socket] = set()

    def hang_up(self) -> None:
        """Break off what is on its way, once `stop` is set."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def fetch(
        self, entry: HubEntry, start: int, buffer: memoryview, arrived: Callable[[int], None] = lambda _: None
    ) -> None:
        """Fill `buffer` with the bytes of a file from `start` on; `arrived` is told how many are there.

        Raises HubError or RepositoryError, CheckpointError where the file is not the one that was described, Cancelled.
        """
        session = self._repository.session
        asked = session.asked(self._repository.id, self._repository.revision, entry.name)
        attempts = Attempts(asked, self._patience, self._wait, session.say)
        done = 0
        while done < len(buffer):
            if self._stop.is_set():
                raise Cancelled
            try:
                location = self._location(entry)
                for count in self._get(entry, location, start + done, buffer[done:]):
                    done += count
                    attempts.progressed()
                    arrived(done)
                if done < len(buffer):
                    raise Cut("short")
            except (httpx2.HTTPError, OSError, Answered, Cut) as error:
                if isinstance(error, NoRanges) and attempts.is_last:
                    raise HubError(
                        f"{entry.name} cannot be streamed: the server sends whole files instead of ranges",
                        hint="--download fetches it to the cache first",
                    ) from None
                attempts.failed(error)
            except RuntimeError:
                # the library closes its client when a connection fails, under whoever else uses it
                attempts.failed(httpx2.ReadError("closed"))

    def _get(self, entry: HubEntry, location: Location, start: int, buffer: memoryview) -> Iterator[int]:
        """Counts of bytes that were put into `buffer`, as they arrive."""
        session = self._repository.session
        headers = dict(session.headers) if location.is_hub else {"user-agent": session.headers["user-agent"]}
        headers |= {"range": f"bytes={start}-{start + len(buffer) - 1}", "accept-encoding": "identity"}
        timeout = httpx2.Timeout(constants.HF_HUB_DOWNLOAD_TIMEOUT, connect=CONNECT, pool=None)
        with session.client().stream(
            "GET", location.url, headers=headers, timeout=timeout, follow_redirects=False
        ) as response:
            self._check(entry, location, response, start, len(buffer))
            done = 0
            with self._listed(response):
                for data in response.iter_raw():
                    if self._stop.is_set():
                        raise Cancelled
                    count = min(len(data), len(buffer) - done)
                    buffer[done : done + count] = data[:count]
                    done += count
                    # read to the end of the body, which is where the connection can be used again
                    if data and not count:
                        return
                    yield count

    @contextmanager
    def _listed(self, response: httpx2.Response) -> Iterator[None]:
        """Let `hang_up` know of the connection."""
        stream = response.extensions.get("network_stream")
        connection = stream.get_extra_info("socket") if stream else None
        if connection is None:
            yield
            return
        with self._lock:
            self._open.add(connection)
        try:
            if self._stop.is_set():
                raise Cancelled
            yield
        finally:
            with self._lock:
                self._open.discard(connection)

    def _check(self, entry: HubEntry, location: Location, response: httpx2.Response, start: int, nbytes: int) -> None:
        """Raise where the body that comes is not the range that was asked for."""
        status = response.status_code
        if status in REDIRECTS:
            url = urljoin(location.url, response.headers.get("location", ""))
            self._move(entry, location, Location(url, self._repository.session.is_the_hub(url)))
            raise Cut("moved")
        if status in EXPIRED and not location.is_hub:
            self._move(entry, location, None)
            raise Cut("expired")
        if status == 416:
            raise self._other_size(entry)
        if status == 200 and start == 0 and nbytes == entry.size:
            return
        if status == 200:
            raise NoRanges("range ignored")
        if status != 206:
            raise Answered(status, response.headers)
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found and found[3] not in ("*", str(entry.size)):
            raise self._other_size(entry)
        encoded = response.headers.get("content-encoding", "identity") != "identity"
        if not found or encoded or int(found[1]) != start or int(found[2]) >= start + nbytes:
            raise Cut("another range")

    def _location(self, entry: HubEntry) -> Location:
        with self._lock:
            asking = self._asking.setdefault(entry.name, threading.Lock())
        with asking:
            if entry.name not in self._locations:
                self._locations[entry.name] = self._ask(entry)
            return self._locations[entry.name]

    def _move(self, entry: HubEntry, old: Location, new: Location | None) -> None:
        with self._lock:
            if self._locations.get(entry.name) == old:
                if new:
                    self._locations[entry.name] = new
                else:
                    del self._locations[entry.name]

    def _ask(self, entry: HubEntry) -> Location:
        repository = self._repository
        session = repository.session
        url = hf_hub_url(repository.id, entry.name, revision=repository.commit, endpoint=session.endpoint)
        found = get_hf_file_metadata(
            url,
            token=session.token,
            endpoint=session.endpoint,
            headers=session.headers,
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
        )
        expected = entry.sha256 or entry.oid
        if found.etag and expected and len(found.etag) == len(expected) and found.etag != expected:
            raise CheckpointError(
                f"{repository.id}/{entry.name} is not the file that the Hub lists: its hash is another",
                hint="a mirror may be out of date: try another HF_ENDPOINT",
            )
        if found.size is not None and found.size != entry.size:
            raise self._other_size(entry)
        return Location(found.location, session.is_the_hub(found.location))

    def _other_size(self, entry: HubEntry) -> CheckpointError:
        return CheckpointError(
            f"{self._repository.id}/{entry.name} does not have the {entry.size:,} bytes that the Hub lists",
            hint="run it again; if it stays so, the file on the Hub is broken",
        )

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Cancelled
