"""Typed reading of config.json: what is missing or of the wrong type is named, with its file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ggufpress.errors import ConfigError


@dataclass(frozen=True)
class Config:
    """The values of config.json (or of a section of it) and the path that error messages name.

    Where several keys are given, the first that is present counts, even if it holds null: llama.cpp's converter looks
    its parameters up so (`find_hparam`). Null reads as None.
    `tensors` are the names of the checkpoint's tensors, for what its config does not say.
    `plain`: transformers has no class for this config as a whole, so none of its defaults hold.
    """

    values: Mapping[str, Any]
    path: str
    tensors: Collection[str] = ()
    plain: bool = False

    def find(self, *keys: str) -> Any:
        """The value of the first key present, or None."""
        return next((self.values[key] for key in keys if key in self.values), None)

    def key(self, *keys: str) -> str:
        """The first key present, or the first of all: for error messages."""
        return next((key for key in keys if key in self.values), keys[0])

    def wrong(self, keys: tuple[str, ...], expected: str) -> ConfigError:
        """The error for a key that is missing or is not what was expected."""
        value = self.find(*keys)
        what = "is missing" if value is None else f"is {value!r:.60}"
        return ConfigError(f"{self.path}: {self.key(*keys)} {what}, {expected} was expected")

    def optional_integer(self, *keys: str) -> int | None:
        """A non-negative integer below 2**32 or None. Raises ConfigError for anything else."""
        value = self.find(*keys)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
            raise self.wrong(keys, "a non-negative integer")
        return value

    def integer(self, *keys: str) -> int:
        """A non-negative integer. Raises ConfigError where it is missing or something else."""
        value = self.optional_integer(*keys)
        if value is None:
            raise self.wrong(keys, "a non-negative integer")
        return value

    def positive(self, *keys: str) -> int:
        """A positive integer. Raises ConfigError where it is missing or something else."""
        value = self.integer(*keys)
        if value == 0:
            raise self.wrong(keys, "a positive integer")
        return value

    def optional_number(self, *keys: str) -> float | None:
        """A finite number or None. Raises ConfigError for anything else."""
        value = self.find(*keys)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e38:
            raise self.wrong(keys, "a number")
        return value

    def number(self, *keys: str) -> float:
        """A finite number. Raises ConfigError where it is missing or something else."""
        value = self.optional_number(*keys)
        if value is None:
            raise self.wrong(keys, "a number")
        return value

    def optional_text(self, *keys: str) -> str | None:
        """A string or None. Raises ConfigError for anything else."""
        value = self.find(*keys)
        if value is not None and not isinstance(value, str):
            raise self.wrong(keys, "a string")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """A boolean, `default` where it is missing or null. Raises ConfigError for anything else."""
        value = self.find(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong((key,), "true or false")
        return value

    def section(self, *keys: str) -> Config | None:
        """An object as a Config of its own, None where it is missing, null or empty. Raises ConfigError otherwise."""
        value = self.find(*keys)
        if value is None or value == {}:
            return None
        if not isinstance(value, dict):
            raise self.wrong(keys, "an object")
        return Config(value, f"{self.path}: {self.key(*keys)}", self.tensors)

    def with_defaults(self, defaults: Mapping[str, Any]) -> Config:
        """This config, with `defaults` where a key is absent."""
        return replace(self, values={**defaults, **self.values})

    def replace(self, **values: Any) -> Config:
        """This config with some values set."""
        return replace(self, values={**self.values, **values})

    def without(self, *keys: str) -> Config:
        """This config as if it lacked `keys`."""
        return replace(self, values={key: value for key, value in self.values.items() if key not in keys})
