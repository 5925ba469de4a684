"""The guide for the first model does what it says: every command runs against a Hub on loopback, and shows those lines.

The Hub serves the bundled model under TinyLlama's name, so that numbers differ from the page's: lines are compared without
them. What `plan` says of TinyLlama's own size is compared with them, for a checkpoint of its shape that is a hole in a file.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.bench_convert import CONFIG
from benchmarks.checkpoints import write_checkpoint
from ggufpress.gguf.reader import read_gguf
from tests.hubserver.server import HubServer
from tests.hubserver.store import add_folder
from tests.test_recipe_guide import examples, words
from tests.tiny_checkpoints import BARD

GUIDES = Path(__file__).parent.parent / "docs" / "guides"
GUIDE = (GUIDES / "first-model.md").read_text()
NOTEBOOK = json.loads((GUIDES / "first-model.ipynb").read_text())
MODEL = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
TOKEN = "hf_annsOwnTokenThatNobodySees"


class Laptop:
    """A folder, a home, and a Hub that they know."""

    def __init__(self, hub: HubServer, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **hub.env(folder / "home")}
        del self.env["HF_HUB_DISABLE_XET"]

    def run(self, command: str) -> str:
        program, *arguments = shlex.split(command)
        assert program == "ggufpress"
        if arguments == ["login"]:
            # a person types it
            arguments += ["--token", TOKEN]
        code = "from ggufpress.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}"
        assert TOKEN not in done.stdout
        return done.stdout.replace(self.hub.endpoint, "https://huggingface.co")


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    with HubServer() as hub:
        hub.store.add_user("ann", TOKEN)
        yield Laptop(hub, tmp_path)


def shape(text: str) -> str:
    """A line without its numbers and the units that go with them; names of types stay."""
    text = re.sub(r"\b[0-9a-f]{7,}\b", "#", words(text))
    return re.sub(r"(?<![\w.-])\d[\d,.e-]*( ?[kMGTB]B?\b)?%?", "#", text)


def test_every_command_of_the_guide_shows_what_the_guide_says(laptop: Laptop) -> None:
    add_folder(laptop.hub.store, MODEL, BARD)
    commands = examples(GUIDE)
    assert len(commands) == 8
    for command, shown in commands:
        output = [shape(line) for line in laptop.run(command).splitlines()]
        for line in shown:
            assert line == "..." or shape(line) in output, f"{command}: {line}\n{output}"
    repository = laptop.hub.store.repositories["ann/TinyLlama-1.1B-Chat-v1.0-GGUF"]
    assert repository.private
    files = repository.commits[repository.refs["main"]].files
    types = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M")
    assert {f"TinyLlama-1.1B-Chat-v1.0-{name}.gguf" for name in types} <= files.keys()
    assert "RMSE" in files["README.md"].read().decode()
    for name in ("Q8_0", "Q4_K_M"):
        assert read_gguf(laptop.folder / f"TinyLlama-1.1B-Chat-v1.0-{name}.gguf").tensors


def test_the_sizes_are_those_of_tinyllama(laptop: Laptop, tmp_path: Path) -> None:
    folder = tmp_path / "TinyLlama-1.1B-Chat-v1.0"
    write_checkpoint(folder, CONFIG)
    add_folder_without_reading(laptop.hub, folder)
    (plan,) = [(command, shown) for command, shown in examples(GUIDE) if " plan " in command]
    output = [words(line) for line in laptop.run(plan[0]).splitlines()]
    for line in plan[1]:
        assert line == "..." or words(line) in output or " at commit " in line, line
    more = laptop.run(f"ggufpress plan {MODEL} -q Q6_K -q Q5_K_M")
    for name in ("Q6_K", "Q5_K_M"):
        (stated,) = re.findall(rf"sent +TinyLlama-1.1B-Chat-v1.0-{name}.gguf +(\S+ MB)", GUIDE)
        assert f"{name}.gguf: {stated}," in more


def add_folder_without_reading(hub: HubServer, folder: Path) -> None:
    """The folder as TinyLlama; the weights are a hole of two gigabytes, whose hash nobody asks for."""
    from tests.hubserver.store import lfs_file

    hub.store.create(MODEL)
    files = {
        path.name: lfs_file(path, "0" * 64) if path.suffix == ".safetensors" else path.read_bytes()
        for path in folder.iterdir()
    }
    hub.store.commit(MODEL, files)


def test_the_notebook_has_the_commands_of_the_guide_and_two_cells_of_set_up() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["metadata"]["kernelspec"]["name"]) == (4, "python3")
    cells = [(cell, "".join(cell["source"])) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    setup = [text for cell, text in cells if "setup" in cell["metadata"].get("tags", [])]
    assert len(setup) == 2
    assert all(cell["outputs"] == [] for cell, _ in cells)
    lines = [line[1:].replace("{ME}", "ann") for _, text in cells for line in text.splitlines() if line.startswith("!")]
    in_guide = [command for command, _ in examples(GUIDE)]
    expected = ["ggufpress whoami", *dict.fromkeys(in_guide[1:])]
    assert lines == expected
    for _, text in cells:
        plain = "\n".join(line for line in text.splitlines() if not line.startswith(("!", "%")))
        compile(plain, "cell", "exec")
    (talk,) = [text for _, text in cells if "from_pretrained" in text]
    assert 'filename="TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf"' in talk
