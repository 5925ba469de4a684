"""`ggufpress split`."""

from __future__ import annotations

from pathlib import Path

import click

from ggufpress.cli.copied import copy_and_show, show_plan
from ggufpress.cli.output import print_json, shared_options
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import plan_split, shards_prefix


@click.command("split")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--split-max-size", metavar="N(M|G)", help="Bytes of tensors per shard: 500M or 2G, units of 1000.")
@click.option("--split-max-tensors", type=int, metavar="N", help="Tensors per shard.  [default: 128]")
@click.option("--no-tensor-first-split", is_flag=True, help="Put only the metadata into the first shard.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PREFIX",
    help="Shards are PREFIX-00001-of-0000N.gguf; a folder keeps the name.  [default: FILE's name, here]",
)
@click.option("--dry-run", is_flag=True, help="Only say which shards there would be.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@shared_options
def command(
    file: Path,
    split_max_size: str | None,
    split_max_tensors: int | None,
    no_tensor_first_split: bool,
    output: Path | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Cut the GGUF file FILE into shards, as gguf-split does: the same bytes.

    The shards appear together, when all are complete and were read back. FILE may be a shard of a set: then the set is
    cut anew.

    \b
    ggufpress split Llama-70B-Q4_K_M.gguf --split-max-size 2G
    """
    limits = split_limits(split_max_size, split_max_tensors, not no_tensor_first_split)
    source = read_gguf_set(file)
    plan = plan_split(source, shards_prefix(source, output), limits)
    if not dry_run:
        copy_and_show(plan, "splitting", force=force, as_json=as_json, quiet=quiet)
    elif as_json:
        print_json(plan.to_json())
    else:
        show_plan(plan, quiet=quiet)
