"""A session with the Hub: who asks, where, and how often a request is made again. The library does the asking."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from math import inf, nan
from typing import TypeVar
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import HfApi, constants, get_session, set_client_factory
from huggingface_hub.utils import build_hf_headers, disable_progress_bars

from ggufpress.errors import UsageError
from ggufpress.hub.patience import BRIEF, STEADY, Patience, asked_pause
from ggufpress.hub.refusals import Asked, explained, is_no_answer_of_the_hub, may_succeed_later, status_of

T = TypeVar("T")

CONNECT = 10.0
READ = 30.0
"""Seconds without a byte after which a connection counts as dead, where the library sets no limit of its own."""
TIMEOUT = httpx2.Timeout(READ, connect=CONNECT, pool=None)
PATIENCE = "GGUFPRESS_HUB_PATIENCE"
SHORT_PAUSE = 5.0
"""Seconds of waiting that are not worth a word."""

Say = Callable[[str], None]
"""Told in a sentence what the session waits for; from any thread."""


class Cancelled(Exception):
    """Nobody wants the answer any more."""


class Attempts:
    """The attempts at one request: counts failures in a row, and waits between them.

    `wait` sleeps, and may raise Cancelled.
    """

    def __init__(self, asked: Asked, patience: Patience, wait: Callable[[float], None], say: Say) -> None:
        self._asked, self._patience, self._wait, self._say = asked, patience, wait, say
        self._failures = 0
        self._paused = 0.0
        self._waited = 0.0

    @property
    def is_last(self) -> bool:
        """Whether one more failure is one too many."""
        return self._paused + self._patience.pause(self._failures + 1) > self._patience.limit

    def progressed(self) -> None:
        """Bytes arrived: whatever failed before is forgiven."""
        self._failures = 0
        self._paused = self._waited = 0.0

    def failed(self, error: Exception) -> None:
        """Wait until the request may be made again. Raises GgufpressError where it should not be."""
        found = status_of(error)
        pause = asked_pause(found[1]) if found else None
        if not may_succeed_later(error):
            raise explained(error, self._asked) from None
        if pause is None:
            if self.is_last:
                raise explained(error, self._asked) from None
            self._failures += 1
            pause = self._patience.pause(self._failures)
            self._paused += pause
            self._wait(pause)
            return
        # a second more: the server rounds, too
        pause += 1 if pause else 0
        self._waited += max(pause, self._patience.first)
        if self._waited > self._patience.asked:
            raise explained(error, self._asked) from None
        if pause >= SHORT_PAUSE:
            self._say(f"the Hub asks to wait {pause:.0f} s")
        self._wait(max(pause, self._patience.first))


class Session:
    """Calls of huggingface_hub by one person at one Hub.

    `token` None means the one of the environment or of the saved login; `endpoint` and `cache` None the library's own.
    `brief` is the patience with questions, `steady` that with downloads, which
    GGUFPRESS_HUB_PATIENCE replaces, in seconds.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        endpoint: str | None = None,
        cache: str | None = None,
        brief: Patience = BRIEF,
        steady: Patience = STEADY,
        say: Say = lambda _: None,
    ) -> None:
        _set_up_the_library()
        self.token = token or None
        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self.cache = cache or constants.HF_HUB_CACHE
        limit = _limit()
        self.brief = replace(brief, limit=min(brief.limit, limit))
        # a longer patience than ours is for downloads alone: nobody waits for an answer that long
        self.steady = steady if limit == inf else replace(steady, limit=limit)
        self.say = say
        self.api = HfApi(endpoint=self.endpoint, token=self.token, library_name="ggufpress")

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers of a request to the Hub, with the token. Not for other hosts."""
        return build_hf_headers(token=self.token, library_name="ggufpress")

    @property
    def has_token(self) -> bool:
        """Whether requests carry a token."""
        return "authorization" in self.headers

    def asked(self, repo: str | None = None, revision: str | None = None, file: str | None = None) -> Asked:
        """What a call is about, for its errors."""
        return Asked(self.endpoint, self.has_token, repo, revision, file)

    def call(self, ask: Callable[[], T], asked: Asked, *, patience: Patience | None = None) -> T:
        """What `ask` returns, asked again where that helps. Raises GgufpressError."""
        attempts = Attempts(asked, patience or self.brief, time.sleep, self.say)
        while True:
            try:
                return ask()
            except (httpx2.HTTPError, OSError) as error:
                attempts.failed(error)
            except Exception as error:
                if not is_no_answer_of_the_hub(error):
                    raise
                raise explained(error, asked) from None

    def is_the_hub(self, url: str) -> bool:
        """Whether the token may go to this address: the Hub's own, or the one that a mirror leads to."""
        return _origin(url) in {_origin(one) for one in (self.endpoint, constants.ENDPOINT, "https://huggingface.co")}

    def client(self) -> httpx2.Client:
        """The library's client, which knows proxies and certificates."""
        return get_session()


def _limit() -> float:
    """The seconds of GGUFPRESS_HUB_PATIENCE, infinite where it is not set. Raises UsageError."""
    stated = os.environ.get(PATIENCE)
    try:
        limit = float(stated) if stated else inf
    except ValueError:
        limit = nan
    if not limit >= 0:
        raise UsageError(f"{PATIENCE} is {stated!r}, which is no number of seconds", hint="unset it")
    return limit


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


_ready = threading.Lock()
_done: list[bool] = []


def _set_up_the_library() -> None:
    """Give the library a timeout where it has none, and let it speak of errors alone. A client of one's own is left."""
    with _ready:
        if not _done:
            _done.append(True)
            disable_progress_bars()
            # every retry would be a warning of its own
            logger = logging.getLogger("huggingface_hub")
            if logger.getEffectiveLevel() == logging.WARNING:
                logger.setLevel(logging.ERROR)
        if get_session().timeout == httpx2.Timeout(None):
            hooks = get_session().event_hooks["request"]
            set_client_factory(lambda: _client([*hooks, _no_request_without_timeout]))


def _client(hooks: list[Callable[[httpx2.Request], object]]) -> httpx2.Client:
    return httpx2.Client(
        event_hooks={"request": hooks},
        follow_redirects=True,
        timeout=TIMEOUT,
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32),
    )


def _no_request_without_timeout(request: httpx2.Request) -> None:
    """Several calls of the library ask for no timeout in so many words, which the client's own would not undo."""
    if not any((request.extensions.get("timeout") or {}).values()):
        request.extensions["timeout"] = TIMEOUT.as_dict()
