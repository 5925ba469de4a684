"""`ggufpress eval`."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path

import click

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import print_json, print_table, shared_options, stderr, table
from ggufpress.cli.progress import StepProgress
from ggufpress.errors import OutputError
from ggufpress.llama.library import library
from ggufpress.llama.runnable import runnable
from ggufpress.plots.comparison import write_plot
from ggufpress.plots.quality import quality_plot
from ggufpress.quality.chunks import read_text
from ggufpress.quality.figures import Estimate
from ggufpress.quality.measure import BATCH, Evaluation, Quality, measure
from ggufpress.texts import VALID

N_CTX = 512


class Share(click.ParamType[float]):
    """A share such as 0.5%."""

    name = "SHARE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The share that `value` names: 0.005 of 0.5%."""
        text = str(value).strip()
        try:
            number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            number = math.nan
        if not 0 < number < 1:
            self.fail(f"{value!r} is no share; write 0.5%", param, ctx)
        return number


@click.command("eval")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--reference", metavar="SOURCE", help="The model they were made from: a checkpoint's folder or a GGUF file."
)
@click.option("--text", type=click.Path(path_type=Path), help="What to read.  [default: a bundled text, 41 kB]")
@click.option("--chunks", type=click.IntRange(1), help="Read only so many chunks.  [default: the whole text]")
@click.option("--ctx", type=click.IntRange(8), default=N_CTX, show_default=True, help="Tokens of a chunk.")
@click.option("--batch", type=click.IntRange(1), default=BATCH, show_default=True,
              help="Tokens read together. Less takes less memory; the last digits may change.")  # fmt: skip
@click.option("--until", type=Share(), help="Stop as soon as every standard error is below this share, such as 0.5%.")
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False, exists=True),
              help="Folder for the temporary file that a checkpoint given as --reference becomes.")  # fmt: skip
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also draw quality against size: an SVG file."
)
@click.option("--force", is_flag=True, help="Replace a picture that exists.")
@shared_options
def command(
    files: tuple[Path, ...], reference: str | None, text: Path | None, chunks: int | None, ctx: int,
    batch: int, until: float | None, threads: int | None, work: Path | None, plot: Path | None,
    force: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Measure the GGUF files FILES in llama.cpp: perplexity and, beside --reference, KL divergence.

    The figures are those of llama-perplexity --kl-divergence, without its file of probabilities: all models read the same
    chunk, one after the other. Needs an installed llama.cpp: pip install "ggufpress[run]".

    \b
    ggufpress eval TinyLlama-Q4_K_M.gguf TinyLlama-Q8_0.gguf --reference TinyLlama-1.1B-Chat-v1.0 --text wiki.test.raw
    """
    library()
    if plot is not None and plot.exists() and not force:
        raise OutputError(f"{plot} exists already", hint="--force replaces it")
    said = read_text(text or VALID)
    talk = not as_json and not quiet
    with ExitStack() as stack:
        base = stack.enter_context(runnable(reference, work, _tell if talk else _nothing)) if reference else None
        progress = stack.enter_context(StepProgress("reading chunks")) if talk else None
        found = measure(
            files, said, str(text or VALID.name), reference=base, n_ctx=ctx, batch=batch, n_chunks=chunks, n_threads=threads,
            until=until, progress=progress.at if progress else None,
        )  # fmt: skip
    if plot is not None:
        write_plot(plot, quality_plot(found, reference), force=force)
    if as_json:
        print_json(found.to_json() | {"reference_source": reference})
    elif quiet:
        for file in found.files:
            click.echo(f"{file.ppl.value:.4f}  {file.path}")
    else:
        show(found, reference)


def show(found: Evaluation, reference: str | None) -> None:
    """Print the table, and what it was measured with."""
    print_table(table(*rows(found, reference), right=range(1, 11 if found.reference else 6)))
    for file in found.files:
        for note in file.notes:
            stderr().print(f"note: {file.path}: {note}", style="yellow", markup=False)
    counts = sorted({file.n_chunks for file in found.files})
    read = "-".join(map(str, counts))
    stderr().print(
        f"{found.text}: {read} chunks of {found.n_ctx} tokens in {found.seconds:.1f} s; {found.library}",
        style="green", markup=False,
    )  # fmt: skip


def rows(found: Evaluation, reference: str | None) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The table's head, and a row per file; the reference comes first."""
    head = ("file", "size", "bpw", "seconds", "PPL", "±")
    if found.reference is None:
        return head, [_cells(file, file.path.name) for file in found.files]
    more = ("KLD", "±", "99% KLD", "Δp RMS", "same top")
    nothing = ("",) * len(more)
    made = [_cells(found.reference, f"reference: {reference}") + nothing]
    for file in found.files:
        apart = file.divergence
        made.append(
            _cells(file, file.path.name)
            + (
                (
                    f"{apart.kld.value:.6f}", f"{apart.kld.error:.6f}", f"{apart.kld_percentiles[99.0]:.6f}",
                    _percent(apart.p_diff_rms), _percent(apart.same_top),
                )
                if apart
                else nothing
            )
        )  # fmt: skip
    return head + more, made


def _cells(file: Quality, name: str) -> tuple[str, ...]:
    return (
        name, human_bytes(file.nbytes), f"{file.bpw:.2f}", f"{file.seconds:.1f}", f"{file.ppl.value:.4f}",
        f"{file.ppl.error:.4f}",
    )  # fmt: skip


def _percent(figure: Estimate) -> str:
    return f"{figure.value:.3%}"


def _tell(text: str) -> None:
    stderr().print(f"note: {text}", style="dim", markup=False)


def _nothing(text: str) -> None:
    pass
