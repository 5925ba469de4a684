"""Files that the Hub does not take whole, in shards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ggufpress.gguf.shards import read_gguf_set
from ggufpress.publish.describing import LocalModel, file_type
from ggufpress.publish.names import repository_path
from ggufpress.shards.copying import copy
from ggufpress.shards.division import split_limits
from ggufpress.shards.planning import plan_split

MAX_FILE = 50_000_000_000
"""Bytes of the largest file that the Hub takes. Source: huggingface.co/docs/hub/storage-limits."""
SHARD_SIZE = "45G"


@contextmanager
def split_where_needed(model: LocalModel, limit: int = MAX_FILE, shard_size: str = SHARD_SIZE) -> Iterator[LocalModel]:
    """The model, in shards beside it for as long as the context lasts where one of its files is larger than `limit`.

    The shards are gguf-split's, the same each time, so that a later run finds them on the Hub.
    """
    if all(file.file_size <= limit for file in model.stored.files):
        yield model
        return
    folder = model.files[0].with_name(f".{model.stored.name}-shards")
    try:
        folder.mkdir(exist_ok=True)
        report = copy(plan_split(model.stored, folder / model.stored.name, split_limits(shard_size)), force=True)
        stored = read_gguf_set(report.files[0].path)
        type_name = file_type(stored)
        places = tuple(repository_path(file.path.name, type_name) for file in stored.files)
        yield LocalModel(type_name, stored, places)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
