"""Whole processes with the real library against a Hub on loopback: they alone see the environment as a user sets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import ggufpress
from tests.hubserver.faults import Drop, ExpiredUrl, Fault, Hang, Reset, Slow, Status, WrongBytes
from tests.hubserver.server import HubServer
from tests.hubserver.store import add_folder
from tests.tiny_checkpoints import BY_NAME, make

TOKEN = "hf_averysecrettoken"
MODEL = "org/Tiny-Llama-4M-Chat-v0.2"


@dataclass
class User:
    """Somebody at a terminal, with a home and a folder of their own."""

    hub: HubServer
    home: Path
    here: Path
    said: str = ""

    def env(self, token: str | None = None, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        source = str(Path(ggufpress.__file__).parent.parent)
        return {"PYTHONPATH": source, "GGUFPRESS_HUB_PATIENCE": "3", **kept, **self.hub.env(self.home, token), **more}

    def run(self, *arguments: str, code: int = 0, token: str | None = None, **more: str) -> str:
        """Standard output of a command that exits with `code`."""
        command = [sys.executable, "-m", "ggufpress", *arguments]
        done = subprocess.run(
            command,
            cwd=self.here,
            env=self.env(token, **more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.said = done.stdout + done.stderr
        assert done.returncode == code, self.said
        assert "Traceback" not in self.said
        assert TOKEN not in self.said
        return done.stdout

    def holds(self, text: str) -> list[Path]:
        """The files that hold `text`."""
        every = [path for place in (self.home, self.here) for path in place.rglob("*") if path.is_file()]
        return [path for path in every if text.encode() in path.read_bytes()]


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    folder = make(replace(BY_NAME["Tiny-Llama-4M-Chat-v0.2"], shards=3), tmp_path / "local")
    (tmp_path / "here").mkdir()
    with HubServer() as hub:
        hub.store.add_user("ann", TOKEN, orgs=("org",))
        add_folder(hub.store, MODEL, folder)
        yield User(hub, tmp_path / "home", tmp_path / "here")


@pytest.fixture
def folder(user: User, tmp_path: Path) -> Path:
    return tmp_path / "local" / "Tiny-Llama-4M-Chat-v0.2"


def sha256s(text: str) -> dict[str, str]:
    return {Path(file["path"]).name: file["sha256"] for file in json.loads(text)["files"]}


def local(folder: Path, out: Path, *types: str) -> dict[str, str]:
    report = ggufpress.quantize(folder, list(types), output=out)
    return {file.path.name: file.sha256 for file in report.files}


def test_streamed_bytes_are_those_of_the_folder(user: User, folder: Path, tmp_path: Path) -> None:
    user.hub.store.repositories[MODEL].private = True
    storm: list[Fault] = [
        Drop(20_000),
        Reset(),
        Reset(50_000),
        Status(503),
        Status(429, {"Retry-After": "0"}),
        ExpiredUrl(),
    ]
    user.hub.faults.storm("cdn GET", 1, 0.3, storm, limit=12)
    made = user.run("quantize", MODEL, "-q", "Q4_K_M", "-q", "Q8_0", "-o", "out", "--manifest", "--json", token=TOKEN)
    assert user.hub.faults.hit
    assert json.loads(made)["unchecked"] == []
    assert sha256s(made) == local(folder, tmp_path / "expected", "Q4_K_M", "Q8_0")
    # the outputs, and no weight on the disk beside them
    assert not list(user.home.rglob("*.safetensors"))
    assert sorted(path.suffix for path in (user.here / "out").iterdir()) == [".gguf", ".gguf", ".json", ".json"]
    manifest = json.loads(next((user.here / "out").glob("*Q8_0*.json")).read_text())
    assert manifest["source"]["repo"] == MODEL
    assert manifest["source"]["revision"] == user.hub.store.repositories[MODEL].refs["main"]
    shards = {name: file for name, file in manifest["source"]["files"].items() if name.endswith(".safetensors")}
    listed = user.hub.store.repositories[MODEL].find("main")
    assert listed
    assert {name: file["sha256"] for name, file in shards.items()} == {
        name: file.sha256 for name, file in listed.files.items() if name.endswith(".safetensors")
    }
    assert user.holds(TOKEN) == []
    assert {one.token for one in user.hub.requests("cdn ")} == {None}


def test_a_plan_fetches_headers_and_says_what_would_be_fetched(user: User) -> None:
    planned = json.loads(user.run("plan", MODEL, "-q", "Q8_0", "--json"))
    assert planned["repository"] == MODEL
    assert planned["remote"]["files"] == 3
    assert planned["remote"]["stream_bytes"] == planned["source_bytes"]
    assert sum(one.sent for one in user.hub.requests("cdn GET") if one.range) <= 3 * (128 << 10)
    text = user.run("plan", f"{user.hub.endpoint}/{MODEL}/tree/main")
    assert "in 3 files" in text


def test_download_first_and_use_the_cache_later(user: User, folder: Path, tmp_path: Path) -> None:
    made = user.run("quantize", MODEL, "-q", "Q8_0", "-o", "a", "--download", "--json")
    expected = local(folder, tmp_path / "expected", "Q8_0")
    assert sha256s(made) == expected
    assert not list(user.home.rglob("*.bin"))
    user.hub.log.clear()
    assert sha256s(user.run("quantize", MODEL, "-q", "Q8_0", "-o", "b", "--json")) == expected
    assert user.hub.requests("cdn ") == []
    assert "in the cache" in user.run("plan", MODEL)
    offline = user.run("quantize", MODEL, "-q", "Q8_0", "-o", "c", "--json", HF_HUB_OFFLINE="1")
    assert sha256s(offline) == expected
    user.run("plan", "org/never-seen", code=1, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE is set" in user.said


def test_wrong_bytes_never_become_a_file(user: User) -> None:
    user.hub.faults.add("cdn GET", WrongBytes(200), first=5)
    user.run("quantize", MODEL, "-o", "out", code=3)
    assert "is not the file that the Hub lists" in user.said
    assert "hint:" in user.said
    assert not list(user.here.rglob("*.gguf"))


def test_login_and_whoami(user: User) -> None:
    user.run("whoami", code=1)
    assert "nobody is logged in" in user.said
    user.run("login", "--token", "hf_nonsense", code=1)
    assert "does not accept the token" in user.said
    assert user.run("login", "--token", TOKEN).startswith("ann, of org")
    assert user.run("whoami", "--quiet").strip() == "ann"
    assert json.loads(user.run("whoami", "--json"))["orgs"] == ["org"]
    user.hub.store.repositories[MODEL].private = True
    user.run("plan", MODEL, "--quiet")
    # the library keeps it, nobody else
    assert all("token" in path.name for path in user.holds(TOKEN))
    user.run("plan", MODEL, "--quiet", "--token", "hf_other", code=1)


REFUSALS: dict[str, tuple[tuple[str, ...], dict[str, Any], int, str]] = {
    "missing": (("org/nothing",), {}, 3, "not on the Hub"),
    "no revision": ((MODEL, "--revision", "v9"), {}, 3, "has no revision 'v9'"),
    "another site": (("https://example.com/a/b",), {}, 2, "is not on the Hub"),
    "a dataset": (("hf://datasets/a/b",), {}, 2, "datasets cannot be converted"),
    "no name": (("org/a..b",), {}, 3, "no name of a model"),
    "closed port": ((MODEL,), {"HF_ENDPOINT": "http://127.0.0.1:9"}, 1, "cannot be reached"),
    "unknown host": ((MODEL,), {"HF_ENDPOINT": "http://no.such.host.invalid"}, 1, "is not found"),
    "a proxy that is none": ((MODEL,), {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}, 1, "127.0.0.1"),
    "patience": ((MODEL,), {"GGUFPRESS_HUB_PATIENCE": "much"}, 2, "no number of seconds"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals_are_a_sentence_and_a_hint(what: str, user: User) -> None:
    arguments, env, code, message = REFUSALS[what]
    user.run("plan", *arguments, code=code, token=TOKEN, **env)
    assert message in user.said
    lines = [line for line in user.said.splitlines() if line]
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_it_streams(number: int, user: User) -> None:
    # after the tokenizer and three headers
    user.hub.faults.add("cdn GET", Slow(10_000), first=5, count=1000)
    process = subprocess.Popen(
        [sys.executable, "-m", "ggufpress", "quantize", MODEL, "-o", "out"],
        cwd=user.here, env=user.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while len(user.hub.requests("cdn GET")) < 5 and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(number)
    try:
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not list(user.here.rglob("*.gguf"))


def test_a_hung_hub_is_not_waited_for(user: User) -> None:
    user.hub.faults.add("cdn GET", Hang(1000, 60), first=4)
    user.run("quantize", MODEL, "-o", "out", "--quiet", HF_HUB_DOWNLOAD_TIMEOUT="1")


@pytest.mark.parametrize("command", ["audit", "compare"])
def test_a_source_is_checked_while_something_is_held_against_it(command: str, user: User) -> None:
    user.run("quantize", MODEL, "-o", "made.gguf", "-q", "Q8_0")
    arguments = ("made.gguf", "--source", MODEL) if command == "audit" else ("made.gguf", MODEL)
    user.run(command, *arguments, code=0 if command == "audit" else 1)
    user.hub.faults.add("cdn GET", WrongBytes(200), first=5, count=100)
    user.run(command, *arguments, code=3)
    assert "is not the file that the Hub lists" in user.said
