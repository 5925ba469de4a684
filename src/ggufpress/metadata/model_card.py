"""The front matter of a model card: the YAML between two lines of dashes at the head of README.md.

The card is untrusted: only plain values are read, size and merged keys are bounded, and aliases are never expanded.
"""

from __future__ import annotations

from typing import Any

import yaml

from ggufpress.errors import CheckpointError
from ggufpress.source.checkpoint import Checkpoint

CARD = "README.md"
MAX_CARD_BYTES = 16 << 20
MAX_FRONT_MATTER = 1 << 20
_MAX_KEYS = 200_000
_MAX_DIGITS = 4300


class _Loader(yaml.SafeLoader):
    """The safe loader, with a limit where a small text makes large work: merge keys and numbers."""

    _keys = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        # The loader comes here for every reference to a merged mapping before it copies the keys.
        self._keys += len(node.value)
        if self._keys > _MAX_KEYS:
            problem = f"more than {_MAX_KEYS:,} keys, merged ones counted each time"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if len(node.value) > _MAX_DIGITS and node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
            raise yaml.constructor.ConstructorError(None, None, "a number with too many digits", node.start_mark)
        return super().construct_scalar(node)


def read_model_card(checkpoint: Checkpoint) -> dict[Any, Any]:
    """The front matter of README.md, empty where there is none or where it is no mapping.

    Raises CheckpointError where it is not YAML (the reference stops, too).
    Source: gguf-py/gguf/metadata.py, load_model_card.
    """
    front_matter = _front_matter(checkpoint)
    if front_matter is None:
        return {}
    path = checkpoint.root / CARD
    try:
        content = yaml.load(front_matter, _Loader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 2}" if mark is not None else ""
        raise CheckpointError(
            f"{path} has front matter that is not YAML{line}: {problem}",
            hint="correct it, or convert without it: move README.md away",
        ) from error
    return content if isinstance(content, dict) else {}


def _front_matter(checkpoint: Checkpoint) -> str | None:
    if not checkpoint.has(CARD):
        return None
    path = checkpoint.root / CARD
    if (size := checkpoint.small.path(CARD).stat().st_size) > MAX_CARD_BYTES:
        raise CheckpointError(f"{path} has {size} bytes, more than a model card may have")
    lines = checkpoint.read_text(CARD).splitlines()
    if not lines or lines[0] != "---":
        return None
    end = lines.index("---", 1) if "---" in lines[1:] else len(lines)
    content = "\n".join(lines[1:end]) + "\n"
    if len(content) > MAX_FRONT_MATTER:
        raise CheckpointError(f"{path} has front matter of {len(content)} characters, more than a model card may have")
    # In a list of languages, "no" is Norwegian and not false; some cards indent with tabs.
    return content.replace("- no\n", '- "no"\n').replace("\t", "  ")
