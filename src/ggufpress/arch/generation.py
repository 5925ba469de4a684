"""Lists of tokens in generation_config.json that an architecture's keys hold."""

from __future__ import annotations

from ggufpress.errors import CheckpointError
from ggufpress.gguf.values import Value, ValueType, array
from ggufpress.source.checkpoint import Checkpoint

FILE = "generation_config.json"


def generation_metadata(checkpoint: Checkpoint, keys: tuple[tuple[str, str], ...]) -> tuple[tuple[str, Value], ...]:
    """Those of `keys` (GGUF key, key of generation_config.json) that the file has. Raises CheckpointError for no token ids."""
    if not checkpoint.has(FILE):
        return ()
    stated = checkpoint.read_json(FILE)
    if not isinstance(stated, dict):
        raise CheckpointError(f"{checkpoint.root / FILE} is no object")
    found = []
    for key, source in keys:
        ids = stated.get(source)
        if ids is None:
            continue
        if not isinstance(ids, list) or not all(type(x) is int and 0 <= x < 1 << 31 for x in ids):
            raise CheckpointError(
                f"{checkpoint.root / FILE}: {source} is {ids!r:.60}, a list of token ids was expected"
            )
        if ids:
            found.append((key, array(ValueType.INT32, ids)))
    return tuple(found)
