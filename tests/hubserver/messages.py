"""Requests and responses of the test Hub as values, and the table that finds who answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote

from tests.hubserver.store import File, Store, User


class Body(Protocol):
    """The body of a request, read once."""

    def read(self) -> bytes:
        """All of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is as it was sent, percent signs and all, without the query. Header names are lower case."""

    origin: str
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: Body

    @property
    def line(self) -> str:
        """What faults are matched against: `hub GET /api/models/org/name`."""
        return f"{self.origin} {self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of `file` from `start` up to `end`."""

    file: File
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. A HEAD request gets its headers alone, with the length of the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Part = b""


@dataclass(frozen=True, slots=True)
class Site:
    """What a handler knows: the store, the addresses of both origins, how to sign a URL of the second."""

    store: Store
    hub: str
    cdn: str
    sign: Callable[[str], str]
    is_signed: Callable[[Request], bool]
    page: int
    hides_gated: bool

    def user(self, request: Request) -> User | None:
        """Who asks, or None for nobody. Raises Refused for a token that is not known (any more)."""
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not given:
            return None
        with self.store.lock:
            user = self.store.users.get(given)
            if user is None or given in self.store.expired:
                raise Refused(error(401, "Invalid credentials in Authorization header"))
            return user


class Refused(Exception):
    """A handler's way out: the answer is `response`."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


Handler = Callable[[Site, Request, tuple[str, ...]], Response]
"""Answers a request; the texts are what the route's groups matched, percent signs decoded."""


@dataclass(frozen=True, slots=True)
class Route:
    """Method (or several, with | between) and pattern of the whole path, and who answers."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


def route(method: str, pattern: str, handler: Handler) -> Route:
    """A route; `{repo}` in the pattern stands for an owner and a name, `{part}` for text without a slash."""
    pattern = pattern.replace("{repo}", r"([^/]+/[^/]+)").replace("{part}", r"([^/]+)").replace("{rest}", r"(.+)")
    return Route(method, re.compile(pattern), handler)


def answer(routes: Sequence[Route], site: Site, request: Request) -> Response:
    """The response of the first route that fits, or 404."""
    for one in routes:
        match = one.pattern.fullmatch(request.path)
        if match and request.method in one.method.split("|"):
            try:
                return one.handler(site, request, tuple(unquote(text) for text in match.groups("")))
            except Refused as refused:
                return refused.response
    return error(404, "Not Found")


def as_json(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(status, {"content-type": "application/json", **(headers or {})}, json.dumps(data).encode())


def error(status: int, message: str, code: str | None = None) -> Response:
    """An error as the Hub says it: in headers and in a JSON body."""
    headers = {"x-error-message": message} | ({"x-error-code": code} if code else {})
    return as_json({"error": message}, status, headers)
