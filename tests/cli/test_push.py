"""Publishing as a person meets it: the command line, the real library, and a Hub on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

import ggufpress
from ggufpress.cli.push_options import said_command
from tests.hubserver.faults import Hang
from tests.hubserver.server import HubServer
from tests.hubserver.store import add_folder
from tests.tiny_checkpoints import BARD

TOKEN = "hf_annsOwnTokenThatNobodySees"
PROGRAM = [sys.executable, "-c", "from ggufpress.cli.main import main; main()"]
TYPES = ("-q", "Q8_0", "-q", "Q4_K_M")
REPO = "ann/bard-GGUF"


class Shell:
    """A person at a terminal, in a folder of their own."""

    def __init__(self, hub: HubServer, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **hub.env(folder / "home", TOKEN)}
        # the server has no Xet, and the library is not told so
        del self.env["HF_HUB_DISABLE_XET"]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, code: int = 0) -> tuple[str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        assert TOKEN not in out + err
        assert process.returncode == code, err
        return out, err

    def files(self, repo: str = REPO) -> dict[str, bytes]:
        repository = self.hub.store.repositories[repo]
        return {path: file.read() for path, file in repository.commits[repository.refs["main"]].files.items()}

    def puts(self, digest: str) -> int:
        return len([one for one in self.hub.log if "cdn PUT" in one.line and digest in one.line])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with HubServer() as hub:
        hub.store.add_user("ann", TOKEN, orgs=("acme",))
        add_folder(hub.store, "bard/bard-4m", BARD)
        yield Shell(hub, tmp_path)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a conversion from the folder makes."""
    report = ggufpress.quantize(BARD, ["Q8_0", "Q4_K_M"], output=tmp_path_factory.mktemp("local"))
    return {file.path.name: file.path.read_bytes() for file in report.files}


def digest(name: str, local: dict[str, bytes]) -> str:
    import hashlib

    return hashlib.sha256(local[name]).hexdigest()


def waited(ready: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_from_the_hub_to_the_hub_and_back(shell: Shell, local: dict[str, bytes]) -> None:
    out, err = shell.run("quantize", "bard/bard-4m", *TYPES, "--push", REPO, "--private")
    assert "pushing to ann/bard-GGUF: Q8_0 (4.51 MB), Q4_K_M (2.67 MB)" in err
    assert f"published at {shell.hub.endpoint}/{REPO}" in out
    for command in ("llama-cli -hf ann/bard-GGUF:Q4_K_M", "python -c '", "ollama run hf.co/ann/bard-GGUF:Q4_K_M"):
        assert command in out
    files = shell.files()
    assert {name: files[name] for name in local} == local
    card = files["README.md"].decode()
    front = yaml.safe_load(card.split("---\n")[1])
    assert (front["base_model"], front["license"], front["quantized_by"]) == ("bard/bard-4m", "mit", "ann")
    assert shell.hub.store.repositories["bard/bard-4m"].refs["main"] in card
    assert "ggufpress quantize bard/bard-4m -q Q8_0 -q Q4_K_M --push ann/bard-GGUF --private" in card
    fetch = f"from huggingface_hub import hf_hub_download as get; print(get({REPO!r}, 'bard-4m-Q4_K_M.gguf'))"
    fetched = subprocess.run([sys.executable, "-c", fetch], env=shell.env, capture_output=True, text=True, check=True)
    path = Path(fetched.stdout.strip())
    assert path.read_bytes() == local[path.name]
    assert ggufpress.verify(path, against=BARD).ok
    assert not any(TOKEN.encode() in content for content in files.values())
    again, said = shell.run("quantize", "bard/bard-4m", *TYPES, "--push", REPO)
    assert "there already  bard-4m-Q8_0.gguf" in again
    assert "nothing had to be changed" in said


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_in_the_middle_is_gone_on_with(
    end: signal.Signals, shell: Shell, local: dict[str, bytes]
) -> None:
    first, second = digest("bard-4m-Q8_0.gguf", local), digest("bard-4m-Q4_K_M.gguf", local)
    shell.hub.faults.add(rf"cdn PUT /part/{second}/2", Hang(-1, 60))
    words = ("quantize", str(BARD), *TYPES, "--push", REPO)
    process = shell.start(*words)
    waited(lambda: any(f"/part/{second}/2" in one.line for one in shell.hub.log))
    waited(lambda: first in shell.hub.store.objects)
    process.send_signal(end)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (130 if end is signal.SIGINT else -end)
    assert "Traceback" not in err
    assert "bard-4m-Q8_0.gguf" not in shell.files()
    made = {path.name: path.stat().st_mtime_ns for path in shell.folder.glob("*.gguf")}
    assert made.keys() == local.keys()
    before = shell.puts(first)
    shell.hub.faults.clear()
    shell.run(*words)
    assert shell.puts(first) == before, "what had arrived was sent once more"
    assert {path.name: path.stat().st_mtime_ns for path in shell.folder.glob("*.gguf")} == made
    files = shell.files()
    assert {name: files[name] for name in local} == local


def test_a_run_that_ends_while_quantizing_is_gone_on_with(shell: Shell, local: dict[str, bytes]) -> None:
    """What was made stays, and is not made again; what was not is."""
    (shell.folder / "bard-4m-Q4_K_M.gguf").mkdir()
    shell.run("quantize", str(BARD), *TYPES, "--push", REPO, code=1)
    made = (shell.folder / "bard-4m-Q8_0.gguf").stat().st_mtime_ns
    (shell.folder / "bard-4m-Q4_K_M.gguf").rmdir()
    shell.run("quantize", str(BARD), *TYPES, "--push", REPO)
    assert (shell.folder / "bard-4m-Q8_0.gguf").stat().st_mtime_ns == made
    files = shell.files()
    assert {name: files[name] for name in local} == local


def test_a_file_that_is_not_ours_is_neither_replaced_nor_published(shell: Shell) -> None:
    (shell.folder / "bard-4m-Q8_0.gguf").write_bytes(b"mine")
    _, err = shell.run("quantize", str(BARD), "-q", "Q8_0", "--push", REPO, code=1)
    assert "exists already" in err
    assert "bard-4m-Q8_0.gguf" not in shell.files()
    _, err = shell.run("quantize", str(BARD), "-q", "Q8_0", "--push", REPO, code=1)
    assert "exists already" in err
    shell.run("quantize", str(BARD), "-q", "Q8_0", "--push", REPO, "--force")
    assert shell.files()["bard-4m-Q8_0.gguf"][:4] == b"GGUF"


def test_one_file_at_a_time_with_delete_after_upload(shell: Shell, local: dict[str, bytes]) -> None:
    most, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.002):
            most[0] = max(most[0], len([*shell.folder.glob("*.gguf"), *shell.folder.glob("*.gguf.part")]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    words = ("quantize", "bard/bard-4m", *TYPES, "--push", REPO, "--delete-after-upload")
    shell.run(*words)
    stop.set()
    watcher.join()
    assert most == [1]
    assert not list(shell.folder.glob("bard*"))
    files = shell.files()
    assert {name: files[name] for name in local} == local
    out, _ = shell.run(*words)
    assert out.count("there already") == 2
    assert not list(shell.folder.glob("bard*"))


def test_push_files_that_are_there(shell: Shell, local: dict[str, bytes]) -> None:
    for name, content in local.items():
        (shell.folder / name).write_bytes(content)
    names = sorted(local)
    dry, _ = shell.run("push", *names, REPO, "--dry-run")
    assert [line.split()[0] for line in dry.splitlines()] == names
    assert REPO not in shell.hub.store.repositories
    told = json.loads(shell.run("push", *names, REPO, "--json", "--token", TOKEN, "--base-model", "bard/bard-4m")[0])
    assert told["repository"] == f"{shell.hub.endpoint}/{REPO}"
    assert told["commands"]["Ollama"] == "ollama run hf.co/ann/bard-GGUF:Q4_K_M"
    assert {part["path"] for file in told["files"] for part in file["parts"]} == set(names)
    card = shell.files()["README.md"].decode()
    assert "base_model: bard/bard-4m" in card
    assert "--token" not in card
    out, _ = shell.run("push", names[0], REPO, "--quiet", "--delete-after-upload")
    assert out == f"{shell.hub.endpoint}/{REPO}\n"
    assert not (shell.folder / names[0]).exists()
    out, _ = shell.run("push", names[1], "acme/bard-GGUF", "--push-revision", "v1")
    assert "acme/bard-GGUF" in out
    shell.run("push", names[1], "acme/bard-GGUF", "--create-pr")
    assert len(shell.hub.store.repositories["acme/bard-GGUF"].discussions) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("quantize", str(BARD), "--private"), 2, "--private or --public is for publishing"),
        (("quantize", str(BARD), "--delete-after-upload"), 2, "--delete-after-upload is for publishing"),
        (("quantize", str(BARD), "--push", "nobody"), 2, "no name of a repository"),
        (("quantize", str(BARD), "--push", "other/x"), 1, "cannot be made"),
        (("quantize", str(BARD), "--push", REPO, "--base-model", "x"), 2, "no repository"),
        (("push", "missing.gguf", REPO), 3, "missing"),
        (("push", REPO), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    words: tuple[str, ...], code: int, message: str, shell: Shell
) -> None:
    _, err = shell.run(*words, code=code)
    assert message in err
    assert not list(shell.folder.glob("*.gguf"))


def test_nobody_logged_in_is_told_what_to_do(shell: Shell) -> None:
    del shell.env["HF_TOKEN"]
    _, err = shell.run("quantize", str(BARD), "--push", REPO, code=1)
    assert "error: nobody is logged in\n\nhint: ggufpress login" in err


def test_the_command_is_told_without_secrets_and_folders() -> None:
    words = [
        "push",
        "/home/ann/my models/a b.gguf",
        "rel/c.gguf",
        "--token",
        TOKEN,
        "--token=x",
        "-o",
        "/tmp/out/",
        "a/b",
    ]
    assert said_command(words) == "ggufpress push 'a b.gguf' rel/c.gguf -o out a/b"
    assert said_command(["x", "--imatrix=/a/b.dat", "hf_abcdefghijk"]) == "ggufpress x --imatrix=b.dat '***'"
