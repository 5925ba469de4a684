"""`ggufpress push`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Unpack

import click

from ggufpress.amounts import human_bytes
from ggufpress.cli.output import print_json, shared_options
from ggufpress.cli.push_options import PushOptions, base_of, push_options, target_of
from ggufpress.errors import UsageError


@click.command("push")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILES...")
@click.argument("repo", metavar="ORG/NAME")
@push_options
@click.option("--imatrix", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Publish this one, too.")
@click.option("--delete-after-upload", is_flag=True, help="Remove each file here when all are published.")
@click.option("--dry-run", is_flag=True, help="Only say what would be where. Asks nobody.")
@click.option("--token", metavar="TOKEN", help="The token to use.  [default: HF_TOKEN, or the saved login]")
@shared_options
def command(
    files: tuple[Path, ...],
    repo: str,
    imatrix: Path | None,
    delete_after_upload: bool,
    dry_run: bool,
    token: str | None,
    as_json: bool,
    quiet: bool,
    **options: Unpack[PushOptions],
) -> None:
    """Publish GGUF FILES in the repository ORG/NAME on the Hub, with a model card and what Ollama needs.

    All of it appears in one commit, when every byte has arrived; what is there already is not sent again. Any shard stands
    for its set, and a file over 50 GB is split first.

    \b
    ggufpress push TinyLlama-Q4_K_M.gguf TinyLlama-Q8_0.gguf ann/TinyLlama-GGUF --private
    """
    from ggufpress.cli.pushing import open_publication, show_outcome  # noqa: PLC0415
    from ggufpress.publish.describing import local_models, sha256_of, source_facts  # noqa: PLC0415
    from ggufpress.publish.splitting import split_where_needed  # noqa: PLC0415

    target = target_of(repo, options)
    target.check()
    models = local_models(files)
    if dry_run:
        listed = [(place, file) for model in models for place, file in zip(model.paths, model.files, strict=True)]
        if as_json:
            print_json({"repository": repo, "files": [{"path": place, "from": str(file)} for place, file in listed]})
        for place, file in listed if not as_json else []:
            click.echo(place if quiet else f"{place}  {human_bytes(file.stat().st_size)}  from {file}")
        return
    metadata = models[0].stored.metadata
    others = {str(model.stored.metadata.get("general.architecture")) for model in models}
    if len(others) > 1:
        raise UsageError("these files are of several models", hint="a repository holds one model, in many types")
    base, revision = base_of(options["base_model"])
    source = source_facts(metadata, models[0].stored.name, repo=base, revision=revision)
    about = ", ".join(f"{model.type} ({human_bytes(model.nbytes)})" for model in models)
    with ExitStack() as stack:
        progress, publication = open_publication(
            stack,
            target,
            options,
            source,
            metadata,
            [model.type for model in models],
            imatrix,
            token=token,
            line=None if quiet or as_json else f"{source.name}: {about} -> {repo}",
        )
        models = tuple(stack.enter_context(split_where_needed(model)) for model in models)
        progress.show()
        for model in models:
            publication.add(model, [sha256_of(file) for file in model.files])
        outcome = publication.commit()
    if delete_after_upload:
        for model in local_models(files):
            for file in model.files:
                file.unlink()
    show_outcome(outcome, as_json=as_json, quiet=quiet)
