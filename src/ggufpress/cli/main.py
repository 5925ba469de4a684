"""`ggufpress`: the commands and what they share: errors become one sentence, a hint and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from keyword import iskeyword
from types import FrameType
from typing import Any

import click

from ggufpress.errors import GgufpressError, SpaceError
from ggufpress.files import reason

EPILOG = """\b
Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 bad input, 4 no space, 5 not proven (audit), 130 interrupted.
Data goes to standard output, everything else to standard error."""

COMMANDS = {
    "quantize": "make GGUF files from a checkpoint or a GGUF file",
    "plan": "say what quantize would do, from headers only",
    "inspect": "show what a GGUF file holds",
    "verify": "check a GGUF file, also against its source",
    "push": "publish GGUF files on the Hub, with a model card",
    "compare": "say how two GGUF files differ, or a file and its source",
    "audit": "say whether a GGUF file of whatever origin comes from a source",
    "reproduce": "make the file of a manifest again and compare the bytes",
    "try": "load a GGUF file in llama.cpp and let it speak",
    "eval": "measure what quantization cost: perplexity, KL divergence",
    "split": "cut a GGUF file into shards",
    "merge": "make one GGUF file of shards",
    "imatrix": "make, merge and show importance matrices",
    "recipe": "show or derive which type each tensor gets",
    "types": "list presets and tensor types",
    "login": "save a token of the Hub, with its own library",
    "whoami": "say who is logged in at the Hub",
    "archs": "list the model classes that can be converted",
}
WRITING = ("quantize", "push", "split", "merge", "reproduce")
"""Commands that may not have finished when nobody reads what they say any more."""
INTERRUPTED = 130


class Commands(click.Group):
    """Loads a command's module when it is asked for, so that `--help` and `--version` are quick."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. A reader that goes away, as `| head` does, is no error of a command that only reads."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _close_stdout()
            return int(ctx.invoked_subcommand in WRITING)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command called `name`."""
        if name not in COMMANDS:
            return None
        # a module cannot be called try
        module = __import__(f"ggufpress.cli.{name}{'_' * iskeyword(name)}", fromlist=["command"])
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, without loading any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="ggufpress", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn a Hugging Face model into GGUF files: one command, one pass, llama.cpp's very bytes."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: Any = cli.main(arguments, prog_name="ggufpress", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: no half-written file has its final name; run it again to go on", err=True)
        sys.exit(INTERRUPTED)
    except OSError as error:
        # what is no file of ours: standard output on a full disk
        _say("error:", "red", f"{error.filename or 'standard output'}: {reason(error)}")
        _close_stdout()
        sys.exit(SpaceError.exit_code if error.errno == errno.ENOSPC else GgufpressError.exit_code)
    except GgufpressError as error:
        _say("error:", "red", str(error))
        if error.hint:
            click.echo(err=True)
            _say("hint:", "cyan", error.hint)
        sys.exit(error.exit_code)


def _say(label: str, color: str, text: str) -> None:
    """One message on standard error, its label coloured on a terminal that wants colours."""
    plain = bool(os.environ.get("NO_COLOR"))
    click.echo(f"{label if plain else click.style(label, fg=color, bold=True)} {_printable(text)}", err=True)


def _printable(text: str) -> str:
    """The text with control characters escaped: a file's name must not move the cursor."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def _close_stdout() -> None:
    """Drop what could not be written, so that the interpreter does not fail on it once more at its end."""
    with contextlib.suppress(OSError):
        sys.stdout.close()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
