"""`ggufpress quantize`."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, Unpack

import click

from ggufpress.amounts import human_bytes, human_count
from ggufpress.cli.container_options import container_options
from ggufpress.cli.fetching import fetching
from ggufpress.cli.output import print_json, print_table, say, shared_options, stderr, table
from ggufpress.cli.progress import ByteProgress, StepProgress, WeightProgress
from ggufpress.cli.push_options import PushOptions, push_options, refuse_without_push
from ggufpress.cli.recipe_options import imatrix_options, recipe_options
from ggufpress.cli.source_options import source_options
from ggufpress.cli.try_ import printable, try_apart
from ggufpress.errors import UsageError
from ggufpress.execute.bringing import bring
from ggufpress.execute.pipeline import MEMORY
from ggufpress.execute.run import Report, execute
from ggufpress.imatrix.auto import auto_matrix
from ggufpress.imatrix.read import AUTO
from ggufpress.llama.library import library
from ggufpress.planning import OutputPlan, Plan
from ggufpress.planning.request import PlanOptions
from ggufpress.planning.request import plan as requested
from ggufpress.source.resolve import HubOptions

MAX_DIGITS = 18
SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class ByteCount(click.ParamType[int]):
    """A number of bytes such as 256M."""

    name = "BYTES"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number of bytes that `value` names."""
        text = str(value).upper().removesuffix("B").removesuffix("I")
        factor = SUFFIXES.get(text[-1:], 1)
        digits = text[:-1] if factor > 1 else text
        if not digits.isascii() or not digits.isdigit() or len(digits) > MAX_DIGITS:
            self.fail(f"{value!r} is no size; write 256M or 1G", param, ctx)
        return int(digits) * factor


@click.command("quantize")
@source_options
@imatrix_options
@recipe_options
@container_options
@click.option("--calibration", type=click.Path(path_type=Path), metavar="TEXT",
              help="What the model reads for `--imatrix auto`.  [default: a bundled text]")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads that compute.  [default: one per core]")
@click.option("--memory", type=ByteCount(), default=MEMORY, help="Budget for buffers.  [default: 256M]")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option(
    "--download", is_flag=True, help="Copy a source on the Hub to its cache first; else its weights are streamed."
)
@click.option("--manifest", is_flag=True, help="Write FILE.manifest.json beside each file: hashes, types, errors.")
@click.option(
    "--try", "try_them", is_flag=True, help="Load each file in llama.cpp and let it speak, as `ggufpress try` does."
)
@click.option("--push", metavar="ORG/NAME", help="Publish the files in this repository on the Hub.")
@click.option(
    "--delete-after-upload", is_flag=True, help="Have one file at a time: publish and remove it, then make the next."
)
@push_options
@shared_options
def command(
    source: str,
    types: tuple[str, ...],
    calibration: Path | None,
    threads: int | None,
    memory: int,
    force: bool,
    manifest: bool,
    try_them: bool,
    push: str | None,
    delete_after_upload: bool,
    private: bool | None,
    create_pr: bool,
    push_revision: str,
    yes_i_may: bool,
    card: bool,
    base_model: str | None,
    download: bool,
    as_json: bool,
    quiet: bool,
    **options: Unpack[PlanOptions],
) -> None:
    """Make GGUF files from SOURCE, all from one read of the weights.

    SOURCE is a checkpoint's folder, a model on the Hub (ORG/NAME, ORG/NAME@REVISION, hf://, or its page's address) or a GGUF
    file. A folder or file that exists wins over a model of the same name.

    \b
    ggufpress quantize TinyLlama/TinyLlama-1.1B-Chat-v1.0 -q Q4_K_M
    ggufpress quantize TinyLlama-1.1B-Chat-v1.0
    ggufpress quantize TinyLlama-1.1B-Chat-v1.0 -q Q8_0 -q Q4_K_M -o out/
    ggufpress quantize TinyLlama-1.1B-Chat-v1.0 -q IQ2_M --imatrix imatrix.gguf --tensor-type attn_v=q6_k
    """
    if try_them:
        if push:
            raise UsageError(
                "--try and --push do not go together", hint="make the files, try them, then ggufpress push"
            )
        # a missing llama.cpp is told before the work, not after it
        library()
    publishing: PushOptions = {
        "private": private,
        "create_pr": create_pr,
        "push_revision": push_revision,
        "yes_i_may": yes_i_may,
        "card": card,
        "base_model": base_model,
    }
    refuse_without_push(push, publishing, delete_after_upload)
    talk = not quiet and not as_json
    options["say"] = say if talk else None
    if calibration is not None and options["imatrix"] != AUTO:
        raise UsageError("--calibration is the text of --imatrix auto, and has no place without it")
    if options["imatrix"] == AUTO:
        options["imatrix"] = measured(source, calibration, threads, talk, hub_options(options))
        options["imatrix_name"] = options["imatrix_name"] or AUTO
    plan = requested(source, types or None, **options)
    if talk:
        announce(plan)
    if download:
        fetched = fetching(plan)
        with ByteProgress("downloading", fetched.whole_bytes, fetched.n_files) if talk else nullcontext() as bar:
            bring(plan, (lambda count: bar.advance(count, "")) if bar else lambda _: None)
    if push:
        # the Hub's library takes long to import: only for those who ask for it
        from ggufpress.cli.quantize_and_push import quantize_and_push, split_for_the_hub  # noqa: PLC0415

        quantize_and_push(
            split_for_the_hub(
                plan, lambda size: requested(source, types or None, **options | {"split_max_size": size})
            ),
            push,
            publishing,
            token=options.get("token"),
            force=force,
            delete=delete_after_upload,
            one_read=fetching(plan).n_files > 0,
            threads=threads,
            memory=memory,
            as_json=as_json,
            quiet=quiet,
        )
        return
    with ExitStack() as stack:
        progress = stack.enter_context(WeightProgress(plan)) if talk else None
        report = execute(
            plan,
            force=force,
            threads=threads,
            memory=memory,
            manifest=manifest,
            progress=progress.advance if progress else None,
            stage=progress.stage if progress else None,
        )
    if talk:
        show(report)
    tried = [try_apart(output.path, threads) for output in plan.outputs] if try_them else []
    if as_json:
        print_json(report.to_json() | ({"tried": tried} if try_them else {}))
    elif quiet:
        for file in report.files:
            click.echo(str(file.path))
    elif tried:
        show_tried(tried)


def hub_options(options: PlanOptions) -> HubOptions:
    """Those of `options` that say how a source on the Hub is read."""
    return {"revision": options.get("revision"), "token": options.get("token"), "say": options.get("say")}


def measured(source: str, text: Path | None, threads: int | None, talk: bool, hub: HubOptions) -> Path:
    """The importance matrix of --imatrix auto."""
    if not talk:
        return auto_matrix(source, text, n_threads=threads, hub=hub)
    with StepProgress("measuring importance") as progress:
        return auto_matrix(source, text, n_threads=threads, tell=tell, progress=progress.at, hub=hub)


def tell(text: str) -> None:
    """Print a note."""
    stderr().print(f"note: {text}", style="dim", markup=False)


def show_tried(tried: list[dict[str, Any]]) -> None:
    """Print what each file said."""
    click.echo("\nit runs, and says")
    for spoken in tried:
        said = " ".join(spoken["text"].split()) or f"an embedding of {spoken['embedding']} numbers"
        name, speed = Path(spoken["path"]).name, spoken["tokens_per_second"] or spoken["prompt_tokens_per_second"]
        click.echo(f"{name}  {speed:.0f} tokens/s  {printable(said)}")


def announce(plan: Plan) -> None:
    """Say on standard error what is about to be done."""
    console = stderr()
    made = ", ".join(f"{output.preset.name} ({human_bytes(output.file_bytes)})" for output in plan.outputs)
    console.print(
        f"{plan.model.name}: {plan.model.hf_class or plan.model.arch}, {human_count(plan.model.n_params)} weights -> {made}",
        markup=False,
    )
    if line := fetching(plan).line(plan):
        console.print(line, markup=False)
    for note in plan.model.notes:
        console.print(f"note: {note}", style="dim", markup=False)
    for output in plan.outputs:
        if output.fallbacks:
            count, first = len(output.fallbacks), output.fallbacks[0]
            line = f"{output.preset.name}: {count} tensors get another type, the first is {first.name}: {first.qtype}"
            console.print(f"note: {line} ({first.fallback})", style="yellow", markup=False)
        for line in about_importance(output):
            console.print(f"note: {output.preset.name}: {line}", style="yellow", markup=False)


def about_importance(output: OutputPlan) -> list[str]:
    """How many tensors are made with importance, and what became of types that need it and have none."""
    pairs = Counter((tensor.decision.upgrade, tensor.qtype) for tensor in output.upgrades)
    lines = [
        f"{count} tensors get {better} instead of {wanted}, which needs importance"
        for (wanted, better), count in pairs.items()
    ]
    if weighed := [tensor for tensor in output.tensors if tensor.entry]:
        without = [tensor.name for tensor in output.tensors if tensor.lacks_importance]
        rest = f", {len(without)} without, the first is {without[0]}" if without else ""
        lines.insert(0, f"{len(weighed)} tensors are made with importance{rest}")
    return lines


def about_unchecked(report: Report) -> list[str]:
    """What to say of the files whose hash is not known to be right."""
    if not report.unchecked:
        return []
    count, first = len(report.unchecked), report.unchecked[0]
    what = f"{count} files, the first is {first}" if count > 1 else first
    return [f"the sha256 was not checked of {what}: it is not read in its own order; --download checks it"]


def show(report: Report) -> None:
    """Print the table of results."""
    rows = [
        (
            file.path.name,
            file.type,
            human_bytes(file.nbytes),
            f"{file.bpw:.2f}",
            f"{file.ratio:.0%}",
            f"{report.seconds:.1f}",
        )
        for file in report.files
    ]
    print_table(table(("file", "type", "size", "bpw", "of source", "seconds"), rows, right=(2, 3, 4, 5)))
    # as sha256sum writes and checks them
    click.echo("\nsha256")
    for file in report.files:
        click.echo(f"{file.sha256}  {file.path}")
    for line in about_unchecked(report):
        stderr().print(f"note: {line}", style="yellow", markup=False)
    stderr().print(f"verified and done in {report.seconds:.1f} s", style="green", markup=False)
