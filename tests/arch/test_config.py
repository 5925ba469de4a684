from __future__ import annotations

from typing import Any

import pytest

from ggufpress.arch.config import Config
from ggufpress.errors import ConfigError

CONFIG = Config(
    {"a": 3, "null": None, "f": 0.5, "s": "x", "t": True, "o": {"b": 1}, "e": {}, "neg": -1, "big": 1 << 40},
    "dir/config.json",
)


def test_the_first_key_present_counts_even_if_null() -> None:
    assert CONFIG.optional_integer("none", "a") == 3
    assert CONFIG.optional_integer("null", "a") is None


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda c: c.integer("zz", "yy"), "dir/config.json: zz is missing, a non-negative integer was expected"),
        (lambda c: c.integer("f"), "dir/config.json: f is 0.5, a non-negative integer was expected"),
        (lambda c: c.integer("t"), "t is True"),
        (lambda c: c.integer("neg"), "neg is -1"),
        (lambda c: c.integer("big"), "big is 1099511627776"),
        (lambda c: c.optional_number("s"), "s is 'x', a number was expected"),
        (lambda c: c.optional_text("a"), "a is 3, a string was expected"),
        (lambda c: c.flag("a", False), "a is 3, true or false was expected"),
        (lambda c: c.section("a"), "a is 3, an object was expected"),
        (lambda c: c.section("o").integer("q"), "dir/config.json: o: q is missing"),
    ],
)
def test_what_is_wrong_is_named(read: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(CONFIG)
    assert message in str(caught.value)


def test_infinity_is_no_number() -> None:
    with pytest.raises(ConfigError):
        Config({"x": float("inf")}, "c").optional_number("x")


def test_sections_and_defaults() -> None:
    assert CONFIG.section("e") is None
    assert CONFIG.section("missing") is None
    defaulted = CONFIG.with_defaults({"a": 5, "new": 7, "null": 1})
    assert (defaulted.find("a"), defaulted.find("new"), defaulted.find("null")) == (3, 7, None)
