"""What a failing call of huggingface_hub means, in one sentence and a hint, and whether it may be made again.

Messages are ours: those of the library quote signed URLs and request ids. No text of a server is repeated, no token can be.
"""

from __future__ import annotations

import errno
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import httpx2
from huggingface_hub import errors

from ggufpress.errors import GgufpressError, HubError, OutputError, RepositoryError, SpaceError
from ggufpress.files import reason
from ggufpress.hub.patience import RETRIED

BAD_TOKEN = "Invalid credentials in Authorization header"
STATUS_PAGE = "https://status.huggingface.co"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call is about: `host` is the Hub's address, `has_token` whether one was sent."""

    host: str
    has_token: bool
    repo: str | None = None
    revision: str | None = None
    file: str | None = None

    @property
    def page(self) -> str:
        """The repository's page, for people."""
        return f"{self.host}/{self.repo}"

    def of(self, file: str) -> Asked:
        """The same about one file of the repository."""
        return replace(self, file=file)


class Answered(Exception):
    """A server answered with a status that is no success. Kept without the URL, which may be signed."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.headers = headers


class Cut(Exception):
    """A body ended early or was not the range that was asked for; the same request may succeed."""


def status_of(error: BaseException) -> tuple[int, Mapping[str, str]] | None:
    """The status and headers that the server answered with, where it did."""
    if isinstance(error, Answered):
        return error.status, error.headers
    if isinstance(error, errors.HfHubHTTPError):
        return error.response.status_code, error.response.headers
    return None


def may_succeed_later(error: BaseException) -> bool:
    """Whether the same request is worth making again."""
    if found := status_of(error):
        return found[0] in RETRIED
    if isinstance(error, errors.LocalEntryNotFoundError | OSError) and error.__cause__ is not None:
        return may_succeed_later(error.__cause__)
    if isinstance(error, httpx2.ProxyError) or _is_certificate(error):
        return False
    # the size of a downloaded file was wrong: the library says so as a plain OSError, without a number
    short = type(error) is OSError and error.errno is None
    return short or isinstance(
        error, httpx2.TimeoutException | httpx2.NetworkError | httpx2.RemoteProtocolError | httpx2.DecodingError | Cut
    )


def explained(error: BaseException, asked: Asked) -> GgufpressError:
    """The error that a person is shown."""
    if isinstance(error, GgufpressError):
        return error
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubError("the Hub is not asked, as HF_HUB_OFFLINE is set", hint="unset it, or give a folder")
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        return explained(error.__cause__, asked)
    return (
        _by_class(error, asked)
        or _by_status(error, asked)
        or _by_network(error, asked)
        or HubError(
            f"{asked.host} does not answer as the Hub does ({type(error).__name__})",
            hint="HF_ENDPOINT, a proxy or a firewall may lead elsewhere",
        )
    )


def _by_class(error: BaseException, asked: Asked) -> GgufpressError | None:
    what = asked.repo or "what was asked for"
    look = f"see {asked.page}"
    match error:
        case errors.GatedRepoError():
            found: GgufpressError | None = _gated(asked)
        case errors.RevisionNotFoundError():
            found = RepositoryError(f"{what} has no revision {asked.revision!r}", hint=f"{look}/tree/main")
        case errors.RemoteEntryNotFoundError():
            found = RepositoryError(f"{what} has no file {asked.file!r}", hint=f"{look}/tree/main")
        case errors.DisabledRepoError():
            found = RepositoryError(f"{what} was disabled by the Hub", hint=look)
        case errors.RepositoryNotFoundError():
            found = _missing(asked)
        case errors.HFValidationError():
            found = RepositoryError(f"{what!r} is no name of a model on the Hub", hint="write ORG/NAME")
        case errors.LocalTokenNotFoundError():
            found = HubError("nobody is logged in", hint="ggufpress login, or set HF_TOKEN")
        case _:
            found = None
    return found


def _gated(asked: Asked) -> RepositoryError:
    then = "your token must be allowed to read gated models" if asked.has_token else "then ggufpress login"
    return RepositoryError(
        f"{asked.repo} is gated: its files are for people who were given access",
        hint=f"ask for access at {asked.page}; {then}",
    )


def _missing(asked: Asked) -> RepositoryError:
    seen = "your token does not let you see it" if asked.has_token else "it is private"
    then = "use a token that may read it" if asked.has_token else "for a private model, ggufpress login"
    return RepositoryError(f"{asked.repo} is not on the Hub, or {seen}", hint=f"check the name; {then}")


def _by_status(error: BaseException, asked: Asked) -> GgufpressError | None:
    found = status_of(error)
    if found is None:
        return None
    status, headers = found
    about = (f" for {asked.repo}" if asked.repo else "") + (f", {asked.file}" if asked.file else "")
    match status:
        case 401 if asked.has_token and (headers.get("x-error-message") == BAD_TOKEN or not asked.repo):
            message, hint = "the Hub does not accept the token", "it may have expired: ggufpress login, or set HF_TOKEN"
        case 401 if not asked.repo:
            message, hint = "nobody is logged in", "ggufpress login, or set HF_TOKEN"
        case 401 | 404:
            return _missing(asked)
        case 403:
            message, hint = f"the Hub refuses to answer{about}", f"the token may lack a permission; see {asked.page}"
        case 429:
            message = f"the Hub still asks to slow down{about}"
            hint = "wait some minutes; with a token more requests are allowed"
        case _ if status >= 500:
            message, hint = f"the Hub fails{about}: status {status}", f"run it again later; see {STATUS_PAGE}"
        case _:
            message, hint = (
                f"the Hub answers{about} with status {status}",
                "run it again: the request was not understood",
            )
    return HubError(message, hint=hint)


def _by_network(error: BaseException, asked: Asked) -> GgufpressError | None:
    host = asked.host
    match error:
        case httpx2.ProxyError():
            message, hint = f"the proxy refuses the way to {host}", "check HTTPS_PROXY and NO_PROXY"
        case _ if _is_certificate(error):
            message, hint = f"the certificate of {host} is not trusted", "behind a company's proxy, set SSL_CERT_FILE"
        case _ if any(isinstance(one, socket.gaierror) for one in _chain(error)):
            message = f"{host} is not found: its name cannot be looked up"
            hint = "check the connection and HF_ENDPOINT"
        case httpx2.TimeoutException():
            message, hint = f"{host} does not answer in time", "check the connection, then run it again"
        case httpx2.ConnectError():
            message = f"{host} cannot be reached"
            hint = "check the connection; HF_HUB_OFFLINE=1 uses what is in the cache"
        case httpx2.TransportError() | httpx2.DecodingError() | Cut():
            message, hint = f"the connection to {host} breaks again and again", "run it again when it is steadier"
        case OSError() if not isinstance(error, httpx2.HTTPError):
            return _by_system(error, asked)
        case _:
            return None
    return HubError(message, hint=hint)


def _by_system(error: OSError, asked: Asked) -> GgufpressError:
    if error.errno is None:
        return HubError(f"{asked.file or asked.repo} arrives incomplete from {asked.host}", hint="run it again")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SpaceError(f"the cache of the Hub has no space for {asked.file}", hint="free some, or set HF_HOME")
    where = error.filename or "the cache of the Hub"
    return OutputError(f"{where} cannot be used: {reason(error)}", hint="set HF_HOME to a folder that can be written")


def is_no_answer_of_the_hub(error: BaseException) -> bool:
    """Whether what came back was no answer of the Hub's API: no JSON, or not the fields that the library needs."""
    return isinstance(error, json.JSONDecodeError | KeyError | TypeError | ValueError | AttributeError)


def _is_certificate(error: BaseException) -> bool:
    said = "CERTIFICATE_VERIFY_FAILED" in str(error)
    return said or any(isinstance(one, ssl.SSLCertVerificationError) for one in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
