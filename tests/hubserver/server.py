"""A Hub on loopback: the site with its API, and a second origin where signed URLs lead.

    with HubServer() as hub:
        hub.store.add_user("ann", "hf_ann")
        add_folder(hub.store, "ann/model", folder)
        run([...], env={**os.environ, **hub.env(home, token="hf_ann")})

huggingface_hub reads its environment on import: give `hub.env(...)` to a process that has not imported it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.hubserver import reads, writes
from tests.hubserver.faults import (
    CutUpload,
    Drop,
    ExpiredUrl,
    Fault,
    Faults,
    Hang,
    IgnoreRange,
    LostReply,
    Reset,
    Slow,
    SpoilUpload,
    Status,
    Truncate,
    WrongBytes,
    WrongRange,
)
from tests.hubserver.messages import Part, Request, Response, Route, Site, answer, error
from tests.hubserver.store import Store

CHUNK = 1 << 16
LIFETIME = 3600


@dataclass(slots=True)
class Logged:
    """One request as the server saw it; the `status` is 0 until it is answered. `sent` counts bytes of the body."""

    line: str
    query: str
    range: str | None
    token: str | None
    status: int
    sent: int
    fault: Fault | None


class HubServer:
    """Both origins. A context manager.

    `page` is how many entries a page of a tree has at most; `hides_gated`: model info of a gated repository is for those
    with access alone, too. `routes` and `cdn_routes` come before those that read.
    """

    def __init__(
        self,
        *,
        page: int = 1000,
        hides_gated: bool = False,
        routes: Sequence[Route] = (),
        cdn_routes: Sequence[Route] = (),
    ) -> None:
        self.store = Store()
        self.faults = Faults()
        self.log: list[Logged] = []
        self.stopping = threading.Event()
        self._secret = os.urandom(16)
        self._hub = _Origin("hub", self, (*routes, *reads.HUB, *writes.HUB))
        self._cdn = _Origin("cdn", self, (*cdn_routes, *reads.CDN, *writes.CDN))
        self.endpoint = self._hub.address
        self.cdn = self._cdn.address
        self.site = Site(self.store, self.endpoint, self.cdn, self._sign, self._is_signed, page, hides_gated)

    def __enter__(self) -> Self:
        self._hub.start()
        self._cdn.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._hub.stop()
        self._cdn.stop()

    def env(self, home: Path, token: str | None = None) -> dict[str, str]:
        """The environment of a client of this Hub, with everything of its own in the folder `home`."""
        found = {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1",
        }
        return found | ({"HF_TOKEN": token} if token else {})

    def requests(self, pattern: str) -> list[Logged]:
        """The requests so far whose line holds `pattern`."""
        return [one for one in self.log if pattern in one.line]

    def _sign(self, path: str, lifetime: int = LIFETIME) -> str:
        expires = int(time.time()) + lifetime
        return f"{self.cdn}{path}?Expires={expires}&Signature={self._signature(path, expires)}&Key-Pair-Id=TEST"

    def _is_signed(self, request: Request) -> bool:
        expires = int((request.query.get("Expires") or ["0"])[0])
        given = (request.query.get("Signature") or [""])[0]
        return expires > time.time() and hmac.compare_digest(given, self._signature(request.path, expires))

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._secret, f"{path} {expires}".encode(), hashlib.sha256).hexdigest()

    def expired(self) -> Site:
        """The site with signed URLs that are over."""
        return replace(self.site, sign=lambda path: self._sign(path, -1))


class _Origin:
    def __init__(self, name: str, hub: HubServer, routes: Sequence[Route]) -> None:
        self.name, self.hub, self.routes = name, hub, routes
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name=name, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class _Gone(Exception):
    """The connection is to be closed."""


class _Body:
    """The body of a request, by its length or in chunks."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self._data: bytes | None = None

    def read(self) -> bytes:
        if self._data is None:
            self._data = b"".join(self._parts())
        return self._data

    def spoil(self, at: int) -> None:
        """Let one byte be another."""
        data = bytearray(self.read())
        if data:
            data[min(at, len(data) - 1)] ^= 0xFF
        self._data = bytes(data)

    def _parts(self) -> Iterator[bytes]:
        stream, headers = self._handler.rfile, self._handler.headers
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(stream.readline().split(b";")[0], 16):
                yield stream.read(size)
                stream.readline()
            stream.readline()
        elif length := int(headers.get("content-length") or 0):
            yield stream.read(length)


def _handler(origin: _Origin) -> type[BaseHTTPRequestHandler]:
    hub = origin.hub

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (_Gone, ConnectionError, TimeoutError, ValueError):
                self.close_connection = True

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = _Body(self)
            request = Request(origin.name, self.command, parts.path, parse_qs(parts.query), headers, body)
            fault = hub.faults.take(request.line)
            asked, token = headers.get("range"), headers.get("authorization")
            entry = Logged(request.line, parts.query, asked, token, 0, 0, fault)
            hub.log.append(entry)
            response = self._respond(request, fault, body)
            body.read()
            entry.status = response.status
            for count in self._send(response, fault):
                entry.sent += count

        do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

        def _respond(self, request: Request, fault: Fault | None, came: _Body) -> Response:
            site = hub.site
            match fault:
                case Status(code, more, message, error_code, body):
                    plain = error(code, message, error_code)
                    if body is not None:
                        return Response(code, more, body.encode())
                    return replace(plain, headers={**plain.headers, **more})
                case Hang(-1, seconds):
                    hub.stopping.wait(seconds)
                    raise _Gone
                case Reset(-1):
                    self._reset()
                case SpoilUpload(at):
                    request.body.read()
                    came.spoil(at)
                case CutUpload(after):
                    self.rfile.read(min(after, int(request.headers.get("content-length", "0"))))
                    self._reset()
                case ExpiredUrl() if origin.name == "cdn":
                    return Response(
                        403, {}, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
                    )
                case ExpiredUrl():
                    site = hub.expired()
                case IgnoreRange():
                    request = replace(request, headers={k: v for k, v in request.headers.items() if k != "range"})
                case WrongRange(shift) if asked := request.headers.get("range"):
                    start, end = asked.removeprefix("bytes=").split("-")
                    moved = f"bytes={max(0, int(start) - shift)}-{end}"
                    request = replace(request, headers={**request.headers, "range": moved})
                case LostReply():
                    answer(origin.routes, site, request)
                    self._reset()
            return answer(origin.routes, site, request)

        def _send(self, response: Response, fault: Fault | None) -> Iterator[int]:
            body = response.body
            size = len(body) if isinstance(body, bytes) else body.end - body.start
            if isinstance(fault, Truncate):
                size = max(0, size - fault.by)
            chunked = response.headers.get("transfer-encoding") == "chunked"
            # send_response would add headers of its own
            self.send_response_only(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if not chunked:
                self.send_header("content-length", str(size))
            self.end_headers()
            if self.command == "HEAD" or response.status == 304:
                return
            if chunked:
                assert isinstance(body, bytes)
                self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
                yield size
                return
            yield from self._send_body(body, size, fault)

        def _send_body(self, body: bytes | Part, size: int, fault: Fault | None) -> Iterator[int]:
            stop = size
            match fault:
                case Drop(after) | Reset(after) | Hang(after, _):
                    stop = min(size, after)
            if fault is None and isinstance(body, Part) and isinstance(body.file.content, Path):
                with body.file.content.open("rb") as stream:
                    yield self.connection.sendfile(stream, body.start, size)
                return
            for at in range(0, stop, CHUNK):
                data = _bytes(body, at, min(at + CHUNK, stop))
                match fault:
                    case WrongBytes(position) if at <= min(position, size - 1) < at + len(data):
                        place = min(position, size - 1) - at
                        data = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
                    case Slow(rate):
                        hub.stopping.wait(len(data) / rate)
                self.wfile.write(data)
                yield len(data)
            match fault:
                case Reset():
                    self._reset()
                case Drop():
                    raise _Gone
                case Hang(_, seconds):
                    hub.stopping.wait(seconds)
                    raise _Gone

        def _reset(self) -> None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            raise _Gone

    return Handler


def _bytes(body: bytes | Part, start: int, end: int) -> bytes:
    if isinstance(body, bytes):
        return body[start:end]
    start, end = body.start + start, body.start + end
    if isinstance(body.file.content, bytes):
        return body.file.content[start:end]
    with body.file.content.open("rb") as stream:
        stream.seek(start)
        return stream.read(end - start)
