"""The table of classes is what the families say, and they agree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ggufpress.arch.registry import GUIDE, all_described, all_families, describe
from ggufpress.errors import UnsupportedError
from ggufpress.source.checkpoint import Checkpoint

ROOT = Path(__file__).resolve().parent.parent.parent


def test_each_class_is_described_once() -> None:
    times = Counter(name for family in all_families() for name in family.CLASSES)
    assert [name for name, count in times.items() if count > 1] == []
    assert set(times) == set(all_described())


def test_each_family_says_how_its_checkpoints_differ_and_where_that_is_from() -> None:
    for family in all_families():
        assert family.__doc__
        assert "Source: " in family.__doc__, family.__name__


def test_an_unknown_class_is_told_what_comes_near_and_how_to_add_it() -> None:
    config = {"architectures": ["LlamaForCausalML"], "auto_map": {"AutoModel": "modeling.LlamaForCausalML"}}
    with pytest.raises(
        UnsupportedError, match="LlamaForCausalML is not supported yet; the code that auto_map"
    ) as caught:
        describe(Checkpoint(Path("m"), config, {}))
    assert caught.value.hint
    assert "LlamaForCausalLM" in caught.value.hint
    assert (ROOT / GUIDE).is_file()
    assert caught.value.hint.endswith(GUIDE)
