"""The examples in docs/guides/recipes.md do what they say: each command is run, and what stands below it is in its output."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ggufpress.cli.main import main
from ggufpress.recipe.file import read_recipe
from tests.recipe.mixes import entries, matrix_bytes
from tests.tiny_checkpoints import BARD

RECIPES = (Path(__file__).parent.parent / "docs" / "guides" / "recipes.md").read_text()


def examples(page: str) -> list[tuple[str, list[str]]]:
    """Commands and the lines of output that the page shows of each."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def words(text: str) -> str:
    return " ".join(text.split())


def test_examples_of_recipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bard-4m").symlink_to(BARD)
    Path("imatrix.gguf").write_bytes(matrix_bytes("gguf", entries(BARD)))
    Path("types.txt").write_text("attn_v=q8_0 ffn_up=q5_k\n")
    (toml,) = re.findall(r"```toml\n(.*?)```", RECIPES, re.DOTALL)
    Path("mine.toml").write_text(toml)
    assert len(read_recipe(Path("mine.toml")).overrides) == 2
    commands = examples(RECIPES)
    assert len(commands) >= 20
    for command, shown in commands:
        program, *arguments = shlex.split(command)
        assert program == "ggufpress"
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        captured = capsys.readouterr()
        output = words(captured.out + captured.err)
        assert (caught.value.code or 0) == (3 if "fail" in command else 2 if "dwon" in command else 0), (
            f"{command}: {output}"
        )
        for line in shown:
            assert words(line) in output, f"{command}: {line}"


def test_the_guide_names_every_option() -> None:
    from click import Command

    from ggufpress.cli.recipe import show_command

    assert isinstance(show_command, Command)
    options = {option for parameter in show_command.params for option in parameter.opts if option.startswith("--")}
    others = {"--type", "--via", "--json", "--quiet"}
    assert len(options - others) == 13
    assert [name for name in options - others if not re.search(rf"\$ ggufpress [^\n]*{name}\b", RECIPES)] == []
