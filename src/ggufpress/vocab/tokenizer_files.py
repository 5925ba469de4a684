"""The tokenizer files of a checkpoint: found, read once, and checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.source.checkpoint import Checkpoint

MAX_FILE_BYTES = 256 << 20
"""No tokenizer file in use comes near this: Llama 4's tokenizer.json has 27 MB."""


@dataclass(frozen=True)
class TokenizerFiles:
    """The small files of one checkpoint that have to do with its tokenizer. Each is parsed at most once.

    `pre` is the pre-tokenizer that the user names, None where the files decide.
    """

    checkpoint: Checkpoint
    pre: str | None = None
    _parsed: dict[str, dict[str, Any] | None] = field(default_factory=dict, repr=False)

    def path(self, name: str) -> Path:
        """What the file `name` is called, also where it does not exist."""
        return self.checkpoint.root / name

    def has(self, name: str) -> bool:
        """Whether the file `name` exists."""
        return self.checkpoint.has(name)

    def read_bytes(self, name: str) -> bytes:
        """The content of `name`. Raises TokenizerError where it is missing, unreadable or absurdly large."""
        path = self.path(name)
        try:
            place = self.checkpoint.small.path(name)
            if (size := place.stat().st_size) > MAX_FILE_BYTES:
                raise TokenizerError(f"{path} has {size} bytes, more than any tokenizer file may have")
            return place.read_bytes()
        except FileNotFoundError:
            raise TokenizerError(f"{path} is missing") from None
        except OSError as error:
            raise TokenizerError(f"{path} cannot be read: {error.strerror}") from error

    def read_text(self, name: str) -> str:
        """The text of `name`, with line ends as Python reads them. Raises TokenizerError where it is not UTF-8."""
        try:
            content = self.read_bytes(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise TokenizerError(f"{self.path(name)} is not UTF-8: {error.reason} at byte {error.start}") from error
        return content.replace("\r\n", "\n").replace("\r", "\n")

    def json(self, name: str) -> dict[str, Any] | None:
        """The JSON object in `name`, None where there is no such file. Callers must not change it.

        Raises TokenizerError where the file is not JSON or holds something else than an object.
        """
        if name not in self._parsed:
            self._parsed[name] = self._parse(name) if self.has(name) else None
        return self._parsed[name]

    def _parse(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(self.read_text(name))
        # a number of thousands of digits is a plain ValueError
        except (ValueError, RecursionError) as error:
            raise TokenizerError(f"{self.path(name)} is not JSON: {error}") from error
        return expect_object(value, str(self.path(name)))


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names[type(value)]


def expect_object(value: Any, where: str) -> dict[str, Any]:
    """`value`, an object. Raises TokenizerError that begins with `where` otherwise."""
    if not isinstance(value, dict):
        raise TokenizerError(f"{where} must be an object, not {_kind(value)}")
    return value


def expect_list(value: Any, where: str) -> list[Any]:
    """`value`, a list. Raises TokenizerError that begins with `where` otherwise."""
    if not isinstance(value, list):
        raise TokenizerError(f"{where} must be a list, not {_kind(value)}")
    return value


def expect_text(value: Any, where: str) -> str:
    """`value`, a string that UTF-8 can hold. Raises TokenizerError that begins with `where` otherwise."""
    if not isinstance(value, str):
        raise TokenizerError(f"{where} must be a string, not {_kind(value)}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise TokenizerError(f"{where} holds half of a surrogate pair, which is no text") from None
    return value


def expect_bool(value: Any, where: str) -> bool:
    """`value`, true or false. Raises TokenizerError that begins with `where` otherwise."""
    if not isinstance(value, bool):
        raise TokenizerError(f"{where} must be true or false, not {_kind(value)}")
    return value


def expect_id(value: Any, where: str, *, hint: str | None = None) -> int:
    """`value`, a token id that fits GGUF's uint32. Raises TokenizerError that begins with `where` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TokenizerError(f"{where} must be a token id, not {_kind(value)}")
    if not 0 <= value < 1 << 32:
        raise TokenizerError(f"{where} is {value}, which is no token id", hint=hint)
    return value


def optional_object(parent: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    """The object at `key`, empty where the key is missing or null."""
    value = parent.get(key)
    return {} if value is None else expect_object(value, f"{where}: {key}")
