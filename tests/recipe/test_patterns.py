"""Patterns mean what they mean to std::regex."""

from __future__ import annotations

import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ggufpress.errors import UsageError
from ggufpress.recipe.patterns import compile_pattern
from tests.tiny_checkpoints import DATA


def test_random_patterns_find_what_libstdcxx_finds() -> None:
    """Recorded by tools/record_patterns.py."""
    recorded = json.loads(lzma.decompress((DATA / "expected" / "patterns.json.xz").read_bytes()))
    wrong = []
    for text, expected in recorded["found"].items():
        try:
            pattern = compile_pattern(text)
            found = "".join(str(int(pattern.found_in(name))) for name in recorded["names"])
        except UsageError:
            found = "E"
        if found != expected:
            wrong.append((text, found, expected))
    assert wrong == []
    assert len(recorded["found"]) > 2000


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("ffn_down", "blk.0.ffn_down_exps.weight", True),
        (r"blk\.(1|2)\.", "blk.12.attn_q.weight", False),
        (r"blk\.\d{2}\.", "blk.12.attn_q.weight", True),
        ("^attn", "blk.0.attn_q.weight", False),
        ("a++", "aa", True),
        ("[[:digit:]]", "x5", True),
        (r"(a)\1", "baa", True),
        (r"[^]", "x", True),
        ("[]x", "x", False),
        (r"\u0041", "A", True),
        (r"\x2e", "a.b", True),
        (r"\0", "a", False),
        ("é", "blé", True),
        (".{3}$", "é1", True),
    ],
)
def test_what_is_found(pattern: str, name: str, found: bool) -> None:
    assert compile_pattern(pattern).found_in(name) == found


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a", "never closed"),
        ("a)", "never opened"),
        ("[a", "never closed"),
        ("*a", "nothing to repeat"),
        ("a{2", "ends with }"),
        ("a{3,2}", "from small to large"),
        ("a{1001}", "1000 at most"),
        ("(?i)a", r"only (?: (?= and (?!"),
        ("(?<=a)b", r"only (?: (?= and (?!"),
        (r"\2(a)", "no closed group 2"),
        ("[z-a]", "smaller to a larger"),
        ("[[:word:]]", "no such class"),
        ("a\\", "ends with a backslash"),
        (r"\x4", "2 hexadecimal digits"),
        ("^*", "nothing to repeat"),
        ("(" * 5000 + ")" * 5000, "cannot be used"),
    ],
)
def test_a_wrong_pattern_says_where_and_why(pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"the pattern .* (is wrong at character \d+|cannot be used)") as caught:
        compile_pattern(pattern)
    assert message in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_a_clear_error(text: str) -> None:
    try:
        compile_pattern(text).found_in("x")
    except UsageError:
        return
