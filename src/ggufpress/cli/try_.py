"""`ggufpress try`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from ggufpress.cli.output import print_json, shared_options, stderr
from ggufpress.errors import LlamaError
from ggufpress.llama.speak import Spoken, speak

N_TOKENS = 64


@click.command("try")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-p", "--prompt", help="What to say to it.  [default: a question, or the beginning of a tale]")
@click.option(
    "-n",
    "--tokens",
    type=click.IntRange(0, 1 << 16),
    default=N_TOKENS,
    show_default=True,
    help="How long it may answer.",
)
@click.option("--raw", is_flag=True, help="Give it the prompt as it is, without the chat template.")
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@shared_options
def command(
    file: Path, prompt: str | None, tokens: int, raw: bool, threads: int | None, as_json: bool, quiet: bool
) -> None:
    """Load FILE in llama.cpp and let the model speak: does it run, and how fast?

    Needs an installed llama.cpp: pip install "ggufpress[run]". It always takes the likeliest token, so the same file says
    the same. An encoder gives an embedding.

    \b
    ggufpress try TinyLlama-1.1B-Chat-v1.0-Q4_K_M.gguf --prompt "Why is the sky blue?"
    """
    live = not as_json
    spoken = speak(file, prompt, n_tokens=tokens, raw=raw, n_threads=threads, say=_say if live else None)
    if as_json:
        print_json(spoken.to_json())
        return
    click.echo()
    if not quiet:
        stderr().print(about(spoken), style="green", markup=False)


def printable(text: str) -> str:
    """What a model says, without what would move the cursor."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def _say(text: str) -> None:
    click.echo(printable(text), nl=False)


def about(spoken: Spoken) -> str:
    """How it went, in one line."""
    prompt = f"{spoken.n_prompt} tokens of prompt ({spoken.made_by}) at {spoken.prompt_speed:.1f} per second"
    if spoken.n_embd is not None:
        return f"{spoken.model}: an embedding of {spoken.n_embd} numbers; {prompt}; {spoken.library}"
    return f"{spoken.model}: {spoken.n_tokens} tokens at {spoken.speed:.1f} per second; {prompt}; {spoken.library}"


def try_apart(file: Path, threads: int | None = None) -> dict[str, Any]:
    """What `ggufpress try --json` says of `file`, from a process of its own, for ggml ends its process over some files.

    Raises LlamaError where it fails.
    """
    options = ["--threads", str(threads)] if threads else []
    # the very ggufpress that runs here, wherever it was imported from
    home = os.pathsep.join([str(Path(__file__).absolute().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "ggufpress", "try", str(file.absolute()), "--json", *options],
        env=os.environ | {"PYTHONPATH": home}, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().removeprefix("error: ")
        raise LlamaError(f"{file} was made, but does not run: {last or f'exit code {done.returncode}'}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
