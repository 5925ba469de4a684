"""The table of classes is what the families say, and they agree."""

from __future__ import annotations

from collections import Counter

from ggufpress.arch.registry import DESCRIBE, FAMILIES


def test_each_class_is_described_once() -> None:
    times = Counter(name for family in FAMILIES for name in family.CLASSES)
    assert [name for name, count in times.items() if count > 1] == []
    assert set(times) == set(DESCRIBE)


def test_each_family_says_how_its_checkpoints_differ_and_where_that_is_from() -> None:
    for family in FAMILIES:
        assert family.__doc__
        assert "Source: " in family.__doc__, family.__name__
