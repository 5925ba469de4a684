"""What can go wrong between a client and the Hub, to be switched on request by request.

A fault hits the requests whose line, as `hub GET /api/models/org/name` or `cdn GET /repos/...`, matches a pattern: the
`first` of them and the `count - 1` after it, or with `storm` those that a seed picks.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Status:
    """Another answer than the right one: 429, 500 to 504, 403, 401; with `body` in the place of an error in JSON."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "something went wrong"
    error_code: str | None = None
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed, politely, after so many bytes of the body."""

    after: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset after so many bytes of the body; with -1 before any answer."""

    after: int = -1


@dataclass(frozen=True, slots=True)
class Truncate:
    """The body lacks its last bytes, and its stated length agrees."""

    by: int


@dataclass(frozen=True, slots=True)
class WrongBytes:
    """One byte of the body, counted from its start and at most its last, is another."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class IgnoreRange:
    """The whole file with status 200, whatever range was asked for."""


@dataclass(frozen=True, slots=True)
class WrongRange:
    """Status 206 with the range that begins so many bytes before the one that was asked for, honestly labelled."""

    shift: int


@dataclass(frozen=True, slots=True)
class Slow:
    """At most so many bytes of the body per second."""

    rate: int


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing more comes after so many bytes of the body, or no answer at all with -1, for so many seconds."""

    after: int = -1
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class LostReply:
    """The request is carried out, and the connection reset before the answer."""


@dataclass(frozen=True, slots=True)
class CutUpload:
    """The connection is reset when so many bytes of the request's body have come."""

    after: int


@dataclass(frozen=True, slots=True)
class SpoilUpload:
    """One byte of the request's body, counted from its start, arrives as another."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class ExpiredUrl:
    """On the Hub: the signed URL of the redirect has expired already. On the second origin: the URL has just expired."""


def expired_token() -> Status:
    """What a token that is no longer valid gets."""
    return Status(401, message="Invalid credentials in Authorization header")


Fault = (
    Status
    | Drop
    | Reset
    | Truncate
    | WrongBytes
    | IgnoreRange
    | WrongRange
    | Slow
    | Hang
    | LostReply
    | CutUpload
    | SpoilUpload
    | ExpiredUrl
)


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    fault: Fault
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class _Storm:
    pattern: re.Pattern[str]
    seed: int
    rate: float
    kinds: tuple[Fault, ...]
    limit: int


class Faults:
    """The faults of one server. `hit` counts the requests that one befell."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._storms: list[_Storm] = []
        self._seen: Counter[object] = Counter()
        self.hit = 0

    def add(self, pattern: str, fault: Fault, *, first: int = 1, count: int = 1) -> None:
        """Let `fault` befall the requests number `first` and the `count - 1` after it of those that match."""
        with self._lock:
            self._rules.append(_Rule(re.compile(pattern), fault, first, count))

    def storm(self, pattern: str, seed: int, rate: float, kinds: Sequence[Fault], *, limit: int = 1 << 30) -> None:
        """Let a share `rate` of the requests that match, at most `limit`, meet one of `kinds`.

        The nth request with the same line always meets the same.
        """
        with self._lock:
            self._storms.append(_Storm(re.compile(pattern), seed, rate, tuple(kinds), limit))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._rules.clear()
            self._storms.clear()
            self._seen.clear()
            self.hit = 0

    def take(self, line: str) -> Fault | None:
        """What befalls the request with this line."""
        with self._lock:
            found = self._by_rule(line) or self._by_storm(line)
            self.hit += found is not None
            return found

    def _by_rule(self, line: str) -> Fault | None:
        found = None
        for number, rule in enumerate(self._rules):
            if rule.pattern.search(line):
                self._seen[number] += 1
                if rule.first <= self._seen[number] < rule.first + rule.count:
                    found = found or rule.fault
        return found

    def _by_storm(self, line: str) -> Fault | None:
        for storm in self._storms:
            if storm.pattern.search(line) and self._seen["hits", storm.seed] < storm.limit:
                self._seen[storm.seed, line] += 1
                chance = random.Random(f"{storm.seed} {line} {self._seen[storm.seed, line]}")
                if chance.random() < storm.rate:
                    self._seen["hits", storm.seed] += 1
                    return chance.choice(storm.kinds)
        return None
