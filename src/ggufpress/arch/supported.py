"""What can be converted, for people: which class becomes which architecture, with which tokenizers, tested by what.

The table beside this file is written by tools/record_supported.py from the families and the tests' tiny checkpoints.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

TABLE = "supported.json"


@dataclass(frozen=True, slots=True)
class Supported:
    """One model class of config.json.

    `architectures` are the names that llama.cpp may give it, `tokenizers` the ways its tokenizer files are read, `family`
    the module that describes it, `cases` the tiny checkpoints whose files equal llama.cpp's: none where only a class
    with the same rules has some.
    """

    hf_class: str
    architectures: tuple[str, ...]
    tokenizers: tuple[str, ...]
    family: str
    cases: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "class": self.hf_class, "architectures": list(self.architectures), "tokenizers": list(self.tokenizers),
            "family": self.family, "cases": list(self.cases),
        }  # fmt: skip


def supported() -> tuple[Supported, ...]:
    """Every class, by name. Loads no family."""
    rows = json.loads(files("ggufpress.arch").joinpath(TABLE).read_text(encoding="utf-8"))
    return tuple(
        Supported(
            row["class"], tuple(row["architectures"]), tuple(row["tokenizers"]), row["family"], tuple(row["cases"])
        )
        for row in rows
    )
