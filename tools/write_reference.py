"""Write docs/reference from the code: the command line, presets and types, the Python API, errors and exit codes.

python tools/write_reference.py           write
python tools/write_reference.py --check   exit 1 where a page is not what the code says
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import click

import ggufpress
from ggufpress import errors
from ggufpress.arch.supported import supported
from ggufpress.cli.archs import tested
from ggufpress.cli.main import COMMANDS, cli
from ggufpress.quant.types import QTYPES
from ggufpress.recipe import FALLBACKS
from ggufpress.recipe.mixture import MIXTURE, RAISES
from ggufpress.recipe.presets import ALIASES, ALL, AUTO, COPY

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
WIDTH = 100
NOTE = "<!-- written by tools/write_reference.py: change the code, then run make docs -->\n\n"


def command_line() -> str:
    """`--help` of every command."""
    pages = ["# The command line\n"]
    settings = {**cli.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
    for names in _paths():
        command: click.Command = cli
        context = click.Context(cli, info_name="ggufpress", **settings)
        for name in names:
            assert isinstance(command, click.Group)
            found = command.get_command(context, name)
            assert found is not None
            command, context = found, click.Context(found, context, info_name=name)
        pages.append(f"## {' '.join(('ggufpress', *names))}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(pages)


def _paths() -> list[tuple[str, ...]]:
    """The words of every command: the program's own, and those of commands that have commands."""
    paths: list[tuple[str, ...]] = [()]
    for name in COMMANDS:
        found = cli.get_command(click.Context(cli), name)
        paths.append((name,))
        paths += [(name, inner) for inner in found.commands] if isinstance(found, click.Group) else []
    return paths


def types() -> str:
    """Presets, rules and tensor types."""
    lines = ["# Presets and tensor types\n", "## Presets: what `-q` takes\n",
             "| preset | mostly | bits per weight | `general.file_type` | what for |", "|---|---|---:|---:|---|"]  # fmt: skip
    lines += [f"| {p.name} | {p.qtype} | {p.qtype.bpw:.4g} | {p.ftype} | {p.purpose} |" for p in ALL]
    lines.append(f"| {COPY.name} | | | | {COPY.about} |")
    lines.append(f"| {AUTO} | | | | BF16 or F16, whichever the checkpoint is stored in; {COPY.name} of a GGUF file |")
    lines.append(f"\nAlso: {', '.join(f'`{alias}` = {name}' for alias, name in ALIASES.items())}.\n")
    lines += ["## Which tensors get another type\n", "Read top to bottom: the first row that matches decides. A user's own rules "
              "come before: docs/guides/recipes.md. Where rows do not divide into blocks, a smaller block is taken instead:\n",
              ", ".join(f"{wanted} -> {smaller}" for wanted, smaller in FALLBACKS.items())
              + "; and F16 where that does not fit either.\n",
              "| tensors | in files of | get | because |", "|---|---|---|---|"]  # fmt: skip
    lines += [f"| {_roles(row.roles)} | {_presets(row.presets)} | {row.qtype} | {row.why} |" for row in MIXTURE]
    lines += ["\nThen, in files of 3 bits and more:\n", "| tensors | that got | get | because |", "|---|---|---|---|"]
    for rise in RAISES:
        got = ", ".join(sorted(qtype.name for qtype in rise.types)) if rise.types else "any type"
        lines.append(f"| {_roles(rise.roles)} | {got} | {rise.qtype} | {rise.why} |")
    lines += ["\n## Tensor types: what a file can hold\n",
              "| type | id | bits per weight | weights per block | bytes per block | |",
              "|---|---:|---:|---:|---:|---|"]  # fmt: skip
    lines += [f"| {q.name} | {q.id} | {q.bpw:.4g} | {q.block} | {q.block_bytes} | {q.about} |" for q in QTYPES]
    return "\n".join(lines) + "\n"


def _roles(roles: frozenset[str]) -> str:
    return "all but the output matrix" if len(roles) > 5 else ", ".join(sorted(roles))


def _presets(names: frozenset[str]) -> str:
    listed = [preset.name for preset in ALL if preset.name in names]
    missing = [preset.name for preset in ALL if preset.name not in names]
    if len(missing) < 8:
        return f"all but {', '.join(missing)}" if missing else "all"
    return ", ".join(listed)


def python() -> str:
    """The public names with signatures and docstrings."""
    pages = ["# The Python API\n"]
    for name in ggufpress.__all__:
        thing = getattr(ggufpress, name)
        signature = "" if inspect.isclass(thing) else str(inspect.signature(thing))
        pages.append(f"## ggufpress.{name}\n\n```python\n{name}{signature}\n```\n\n{inspect.cleandoc(thing.__doc__)}\n")
    pages.append(f"# Errors\n\n```\n{inspect.cleandoc(errors.__doc__ or '')}\n```\n")
    return "\n".join(pages)


def architectures() -> str:
    """Supported classes with what they become and what tests them."""
    rows = supported()
    lines = [f"# Supported model classes\n\n{len(rows)} classes, as `ggufpress archs` lists them. The cases are tiny checkpoints "
             "whose files equal llama.cpp's, byte for byte.\n",
             "| class in config.json | architecture | tokenizer | described in | tested by |",
             "|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        kinds = ", ".join(row.tokenizers)
        home = f"[{row.family}](../../src/ggufpress/arch/families/{row.family}.py)"
        lines.append(f"| {row.hf_class} | {', '.join(row.architectures)} | {kinds} | {home} | {tested(row)} |")
    return "\n".join(lines) + "\n"


PAGES = {"command-line.md": command_line, "types.md": types, "python.md": python, "architectures.md": architectures}


def main() -> None:
    """Write or check every page."""
    stale = []
    for name, make in PAGES.items():
        path, text = REFERENCE / name, NOTE + make()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            REFERENCE.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if "--check" in sys.argv and stale:
        sys.exit(f"docs/reference is not what the code says: {', '.join(stale)}; run make docs")


if __name__ == "__main__":
    main()
