from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub.utils import _http

from ggufpress.gguf.values import text
from ggufpress.hub import session as session_module
from ggufpress.hub.patience import Patience
from ggufpress.hub.session import Session
from ggufpress.publish.describing import LocalModel, local_models, sha256_of, source_facts
from ggufpress.publish.facts import Made
from ggufpress.publish.publication import About, Outcome, Publication
from ggufpress.publish.target import Target
from ggufpress.quant.types import F32, Q8_0
from tests.chat.templates import CHATML
from tests.hubserver import writes
from tests.hubserver.server import HubServer
from tests.made_gguf import make_gguf

REPO = "ann/tiny-GGUF"
TOKEN = "hf_annsOwnTokenThatNobodySees"
CHUNK = 16_384


@dataclass
class World:
    """A Hub, small files to publish, and how to do it."""

    hub: HubServer
    folder: Path
    limit: float = 6.0

    def session(self, token: str = TOKEN, **options: Any) -> Session:
        quick = Patience(self.limit, first=0.01, longest=0.1)
        return Session(token, **{"endpoint": self.hub.endpoint, "brief": quick, "steady": quick, **options})

    def models(self, *types: str) -> tuple[LocalModel, ...]:
        return local_models([tiny(self.folder, name) for name in types or ("Q8_0", "F16")])

    def push(
        self, models: tuple[LocalModel, ...], *, token: str = TOKEN, repo: str = REPO, about: Any = None, **target: Any
    ) -> Outcome:
        metadata = models[0].stored.metadata
        about = {"made": Made("ggufpress push", "0.1.0"), **(about or {})}
        source = about.pop("source", source_facts(metadata, "tiny"))
        facts = About(source, metadata, **about)
        kinds = [model.type for model in models]
        with Publication(self.session(token), Target(repo, **target), facts, kinds) as publication:
            for model in models:
                publication.add(model, [sha256_of(file) for file in model.files])
            return publication.commit()

    def files(self, revision: str = "main", repo: str = REPO) -> dict[str, bytes]:
        """What the repository holds; nothing where it does not exist."""
        found = self.hub.store.repositories.get(repo)
        commit = found.find(revision) if found else None
        return {path: file.read() for path, file in commit.files.items()} if commit else {}

    def complete(self, models: tuple[LocalModel, ...], files: dict[str, bytes]) -> bool:
        """Whether `files` are what a push of `models` leaves. Fails where one of them is wrong."""
        wanted = {
            path: file.read_bytes()
            for model in models
            for path, file in zip(model.paths, model.files, strict=True)
        }  # fmt: skip
        for path in wanted.keys() & files.keys():
            assert files[path] == wanted[path], path
        there = wanted.keys() & files.keys()
        small = {"README.md", "Modelfile", "ggufpress.json"}
        assert not there or there == wanted.keys(), "a part of a push is to be seen"
        assert bool(there) == bool(small & files.keys())
        return bool(there)


def tiny(folder: Path, type_name: str, name: str = "tiny") -> Path:
    """A GGUF file of some 40 kB."""
    keys = {
        "general.name": text("Tiny Model"),
        "general.license": text("apache-2.0"),
        "tokenizer.chat_template": text(CHATML),
    }
    qtype = Q8_0 if type_name == "Q8_0" else F32
    return make_gguf(
        folder / f"{name}-{type_name}.gguf",
        [(f"{type_name}.{n}.weight", (64, 160 if qtype is Q8_0 else 64), qtype) for n in range(4)],
        keys,
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library waits hardly at all between its own tries, and not long for an answer."""
    clock = types.SimpleNamespace(sleep=lambda _: None, time=_http.time.time, monotonic=_http.time.monotonic)
    monkeypatch.setattr(_http, "time", clock)
    monkeypatch.setattr(session_module, "TIMEOUT", httpx2.Timeout(2.0))
    monkeypatch.setattr(writes, "CHUNK_SIZE", CHUNK)
    huggingface_hub.close_session()
    yield
    huggingface_hub.close_session()


@pytest.fixture
def world(quick: None, tmp_path: Path) -> Iterator[World]:
    with HubServer() as hub:
        hub.store.add_user("ann", TOKEN, orgs=("acme",))
        hub.store.add_user("bob", "hf_bobsToken")
        hub.store.add_user("eve", "hf_eveReadsOnly", role="read")
        yield World(hub, tmp_path)
