"""`ggufpress merge`."""

from __future__ import annotations

from pathlib import Path

import click

from ggufpress.cli.copied import copy_and_show
from ggufpress.cli.output import shared_options
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.shards.planning import merged_path, plan_merge


@click.command("merge")
@click.argument("shard", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file to write.  [default: the shards' name, here]"
)
@click.option("--keep-split-keys", is_flag=True, help="Leave the keys split.* in, as gguf-split does.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@shared_options
def command(shard: Path, output: Path | None, keep_split_keys: bool, force: bool, as_json: bool, quiet: bool) -> None:
    """Make one GGUF file of a set of shards, of which SHARD is any one: what it was before it was split.

    \b
    ggufpress merge Llama-70B-Q4_K_M-00001-of-00021.gguf -o Llama-70B-Q4_K_M.gguf
    """
    source = read_gguf_set(shard)
    plan = plan_merge(source, merged_path(source, output), keep_split_keys=keep_split_keys)
    copy_and_show(plan, "merging", force=force, as_json=as_json, quiet=quiet)
