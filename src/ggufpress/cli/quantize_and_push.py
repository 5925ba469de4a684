"""`ggufpress quantize --push`: what is shown and asked on the way. Imports the Hub's library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import stderr
from ggufpress.cli.progress import WeightProgress
from ggufpress.cli.push_options import PushOptions, base_of, said_command, target_of
from ggufpress.cli.pushing import UploadProgress, open_session, show_outcome
from ggufpress.cli.quantize import about_unchecked
from ggufpress.execute.run import Report, execute
from ggufpress.planning import Plan
from ggufpress.publish.describing import source_facts
from ggufpress.publish.facts import Made
from ggufpress.publish.making import check_names, make_and_push
from ggufpress.publish.publication import About, Publication
from ggufpress.publish.splitting import MAX_FILE, SHARD_SIZE


def split_for_the_hub(plan: Plan, replan: Callable[[str], Plan], limit: int = MAX_FILE) -> Plan:
    """`plan` with shards for those outputs that the Hub does not take whole; `replan` plans all with shards of a size."""
    large = [any(file.file_bytes > limit for file in output.files) for output in plan.outputs]
    if not any(large):
        return plan
    shards = replan(SHARD_SIZE)
    chosen = zip(plan.outputs, shards.outputs, large, strict=True)
    return replace(plan, outputs=tuple(split if is_large else whole for whole, split, is_large in chosen))


def quantize_and_push(
    plan: Plan,
    repo: str,
    options: PushOptions,
    *,
    token: str | None,
    force: bool,
    delete: bool,
    one_read: bool,
    threads: int | None,
    memory: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make the files of `plan`, publish them, and print where they are. Raises GgufpressError."""
    target = target_of(repo, options)
    target.check()
    check_names(plan)
    talk = not quiet and not as_json
    provenance = plan.model.provenance
    base, revision = base_of(options["base_model"])
    base, revision = (base, revision) if base else (provenance.get("repository"), provenance.get("commit"))
    metadata = plan.outputs[0].metadata
    source = source_facts(metadata, plan.model.name, repo=base, revision=revision)
    if talk:
        shown = stderr()
        types = ", ".join(f"{output.preset.name} ({human_bytes(output.file_bytes)})" for output in plan.outputs)
        shown.print(f"pushing to {repo}: {types}", markup=False)
        if source.repo is None:
            shown.print("note: the card names no base model: --base-model ORG/NAME adds it", style="dim", markup=False)
    matrix = plan.importance.path if plan.importance else None
    with ExitStack() as stack:
        progress = stack.enter_context(UploadProgress(talk=talk))
        made = Made(said_command(), version("ggufpress"))
        about = About(source, metadata, made, matrix, consent=options["yes_i_may"], card=options["card"])
        publication = stack.enter_context(
            Publication(
                open_session(token, progress),
                target,
                about,
                [output.preset.name for output in plan.outputs],
                progress=progress.advance,
            )
        )

        def make(part: Plan, replace_files: bool) -> Report:
            progress.hide()
            with ExitStack() as inner:
                bar = inner.enter_context(WeightProgress(part)) if talk else None
                report = execute(
                    part,
                    force=replace_files,
                    threads=threads,
                    memory=memory,
                    manifest=True,
                    progress=bar.advance if bar else None,
                    stage=bar.stage if bar else None,
                )
            for line in about_unchecked(report):
                progress.say(line)
            return report

        outcome, files = make_and_push(
            plan, publication, make, force=force, delete=delete, one_read=one_read, waiting=progress.show
        )
    if talk:
        for file in files:
            where = "made and, after its upload, removed" if delete else "made"
            stderr().print(f"{where}: {file}", style="dim", markup=False)
    show_outcome(outcome, as_json=as_json, quiet=quiet)
