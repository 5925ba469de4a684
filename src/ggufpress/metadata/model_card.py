"""The front matter of a README: YAML between two lines of dashes, untrusted and often odd.

Source of what is accepted: llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/metadata.py (`load_model_card`).
"""

from __future__ import annotations

from typing import Any

import yaml

from ggufpress.errors import CheckpointError
from ggufpress.source.checkpoint import Checkpoint

README = "README.md"
LIMIT = 1 << 20
"""Bytes of front matter that are read; real cards have a few kilobytes."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without aliases, which can make a small text grow without bound."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def read_card(checkpoint: Checkpoint) -> dict[str, Any]:
    """The front matter of the checkpoint's README.md; empty where there is none or it is no mapping.

    Raises CheckpointError where it is not YAML, uses aliases or is larger than LIMIT.
    """
    if not checkpoint.has(README):
        return {}
    lines = checkpoint.read_text(README).splitlines()
    if not lines or lines[0] != "---":
        return {}
    end = lines.index("---", 1) if "---" in lines[1:] else len(lines)
    text = "\n".join(lines[1:end]) + "\n"
    if len(text) > LIMIT:
        raise CheckpointError(f"{checkpoint.root / README}: the front matter is larger than {LIMIT:,} bytes")
    # Norwegian, and tabs, which YAML forbids
    text = text.replace("- no\n", '- "no"\n').replace("\t", "  ")
    try:
        card = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{checkpoint.root / README}: the front matter is not YAML: {reason}", hint="correct or remove it"
        ) from None
    return card if isinstance(card, dict) else {}
