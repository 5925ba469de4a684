"""How a person names a repository on the Hub: org/name, org/name@revision, hf://, or the address of one of its pages."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ggufpress.errors import UsageError

_PART = r"[A-Za-z0-9][\w.-]*"
_ID = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[^@\s]+))?", re.ASCII)
_WITH_FILE = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[^@\s/]+))?/(?P<file>[^@\s]+\.gguf)", re.ASCII)
_HF = re.compile(rf"(?:models/)?(?P<repo>{_PART}(?:/{_PART})?)(?:@(?P<revision>refs/[^@\s/]+/[^@\s/]+|[^@\s/]+))?"
                 r"(?:/(?P<file>[^@\s]+))?/?", re.ASCII)  # fmt: skip
_NAME = re.compile(_PART, re.ASCII)
HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
PAGES = ("tree", "blob", "resolve", "raw", "commit")
OTHER_KINDS = ("datasets", "spaces", "kernels", "buckets", "papers", "docs", "collections")


@dataclass(frozen=True, slots=True)
class HubAddress:
    """A repository of models: `repo` is its id, `revision` a branch, tag or commit or None, `file` one file of it."""

    repo: str
    revision: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


def explicit_address(text: str) -> HubAddress | None:
    """The repository that a URL names; None for text that is no URL.

    Raises UsageError for a URL that leads to no repository of models.
    Example: "https://huggingface.co/org/name/tree/v1" gives HubAddress("org/name", "v1")
    """
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("hf", "http", "https"):
        return None
    if scheme == "hf":
        match = _HF.fullmatch(rest)
        if match is None:
            raise UsageError(
                f"{text!r} names no model on the Hub", hint="write hf://ORG/NAME or hf://ORG/NAME@REVISION"
            )
        return _model(text, HubAddress(match["repo"], match["revision"], match["file"]))
    parts = urlsplit(text)
    endpoint = urlsplit(os.environ.get("HF_ENDPOINT", ""))
    path = parts.path
    if endpoint.netloc and parts.netloc.lower() == endpoint.netloc.lower():
        path = path.removeprefix(endpoint.path.rstrip("/"))
    elif parts.netloc.lower() not in HOSTS:
        raise UsageError(
            f"{text!r} is not on the Hub: its pages are at {HOSTS[0]}",
            hint="give ORG/NAME, or a folder on this machine",
        )
    return _model(text, _page([unquote(part) for part in path.split("/") if part], text))


def short_address(text: str) -> HubAddress | None:
    """The repository that org/name, org/name@revision or org/name/FILE.gguf names; None for other text."""
    match = _WITH_FILE.fullmatch(text) or _ID.fullmatch(text)
    return HubAddress(match["repo"], match["revision"], match.groupdict().get("file")) if match else None


def _page(parts: list[str], text: str) -> HubAddress:
    kinds = [number for number, part in enumerate(parts[:3]) if part in PAGES and number > 0]
    end = kinds[0] if kinds else len(parts)
    names, rest = parts[:end], parts[end + 1 :]
    if not 1 <= len(names) <= 2 or not all(_NAME.fullmatch(name) for name in names):
        raise UsageError(f"{text!r} leads to no model on the Hub", hint="write https://huggingface.co/ORG/NAME")
    # a pull request's revision has slashes, which most pages show as they are
    length = 3 if rest[:1] == ["refs"] else 1
    return HubAddress("/".join(names), "/".join(rest[:length]) or None, "/".join(rest[length:]) or None)


def _model(text: str, address: HubAddress) -> HubAddress:
    owner = address.repo.split("/", maxsplit=1)[0]
    if owner in OTHER_KINDS:
        raise UsageError(f"{text!r} is no model: {owner} cannot be converted", hint="give the address of a model")
    return address
