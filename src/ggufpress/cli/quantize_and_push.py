"""`ggufpress quantize --push`: what is shown and asked on the way. Imports the Hub's library."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import stderr
from ggufpress.cli.progress import WeightProgress
from ggufpress.cli.push_options import PushOptions, base_of, target_of
from ggufpress.cli.pushing import open_publication, show_outcome
from ggufpress.cli.quantize import about_unchecked
from ggufpress.execute.run import Report, execute
from ggufpress.planning import Plan
from ggufpress.publish.describing import source_facts
from ggufpress.publish.making import check_names, make_and_push
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
    types = ", ".join(f"{output.preset.name} ({human_bytes(output.file_bytes)})" for output in plan.outputs)
    with ExitStack() as stack:
        progress, publication = open_publication(
            stack,
            target,
            options,
            source,
            metadata,
            [output.preset.name for output in plan.outputs],
            plan.importance.path if plan.importance else None,
            token=token,
            line=f"pushing to {repo}: {types}" if talk else None,
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
