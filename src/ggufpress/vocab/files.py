"""The tokenizer files of a checkpoint, each parsed at most once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint

SPM_MODEL = "tokenizer.model"
TOKENIZER_JSON = "tokenizer.json"
TEKKEN = "tekken.json"
CONFIG = "tokenizer_config.json"
SPECIAL_MAP = "special_tokens_map.json"
ADDED = "added_tokens.json"


class TokenizerFiles:
    """Lazy access to the tokenizer files in the folder of `checkpoint`. Files that are missing read as empty."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    @property
    def root(self) -> Path:
        """The folder."""
        return self.checkpoint.root

    def has(self, name: str) -> bool:
        """Whether the file exists."""
        return self.checkpoint.has(name)

    @cached_property
    def config(self) -> dict[str, Any]:
        """tokenizer_config.json."""
        return self._object(CONFIG)

    @cached_property
    def special_map(self) -> dict[str, Any]:
        """special_tokens_map.json."""
        return self._object(SPECIAL_MAP)

    @cached_property
    def added(self) -> dict[str, int]:
        """added_tokens.json: ids by text."""
        found = self._object(ADDED)
        for token, number in found.items():
            token_id(self.root / ADDED, token, number)
        return found

    @cached_property
    def tokenizer_text(self) -> str:
        """The text of tokenizer.json."""
        return self.checkpoint.read_text(TOKENIZER_JSON)

    @cached_property
    def tokenizer(self) -> dict[str, Any]:
        """tokenizer.json."""
        return self._object(TOKENIZER_JSON)

    @property
    def model(self) -> dict[str, Any]:
        """The section `model` of tokenizer.json."""
        found = self.tokenizer.get("model")
        if not isinstance(found, dict):
            raise TokenizerError(f"{self.root / TOKENIZER_JSON}: model is missing or no object")
        return found

    @property
    def added_tokens_decoder(self) -> dict[int, dict[str, Any]]:
        """The section of that name of tokenizer_config.json, ids as numbers."""
        path = self.root / CONFIG
        section = self.config.get("added_tokens_decoder", {})
        if not isinstance(section, dict):
            raise TokenizerError(f"{path}: added_tokens_decoder is no object")
        found = {}
        for number, token in section.items():
            if not isinstance(token, dict) or not isinstance(token.get("content"), str):
                raise TokenizerError(f"{path}: added_tokens_decoder: {number!r:.40} has no content")
            if not (number.isascii() and number.isdigit()):
                raise TokenizerError(f"{path}: added_tokens_decoder: {number!r:.40} is no token id")
            found[int(number)] = token
        return found

    def _object(self, name: str) -> dict[str, Any]:
        if not self.has(name):
            return {}
        found = self.checkpoint.read_json(name)
        if not isinstance(found, dict):
            raise TokenizerError(f"{self.root / name}: an object was expected")
        return found


def token_id(path: Path, token: str, number: object) -> int:
    """`number` as a token id. Raises TokenizerError, naming file and token, where it is none."""
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 1 << 31:
        raise TokenizerError(f"{path}: {token!r:.60} has the id {number!r:.40}, a number from 0 on was expected")
    return number
