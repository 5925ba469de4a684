from __future__ import annotations

import math

import pytest

from ggufpress.errors import UsageError
from ggufpress.gguf.values import Value, f32, flag, text, u32
from ggufpress.planning.container import PLAIN, container, parse_override
from ggufpress.shards.division import SplitLimits


@pytest.mark.parametrize(
    ("item", "key", "value"),
    [
        ("general.name=str:a=b:c", "general.name", text("a=b:c")),
        ("k=str:", "k", text("")),
        ("k=str:" + "x" * 127, "k", text("x" * 127)),
        ("k=int:-7", "k", u32(7)),
        ("k=int:4294967295", "k", u32(2**32 - 1)),
        ("k=float:-2.5", "k", f32(-2.5)),
        ("k=float:1e60", "k", f32(math.inf)),
        ("k=bool:true", "k", flag(True)),
        ("k=bool:false", "k", flag(False)),
    ],
)
def test_keys_as_llama_quantize_reads_them(item: str, key: str, value: Value) -> None:
    assert parse_override(item) == (key, value)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("", "is not KEY=TYPE:VALUE"),
        ("k", "is not KEY=TYPE:VALUE"),
        ("k=3", "is not KEY=TYPE:VALUE"),
        ("k=u32:3", "is not KEY=TYPE:VALUE"),
        ("=int:3", "is not KEY=TYPE:VALUE"),
        ("k=int:3.5", "'3.5' is no number"),
        ("k=float:x", "'x' is no number"),
        ("k=int:4294967296", "does not fit into 32 bits"),
        ("k=bool:yes", "'yes' is not true or false"),
        ("k=str:" + "é" * 64, "has more than 127 bytes"),
        ("é" * 64 + "=int:3", "has more than 127 bytes"),
        ("general.alignment=int:64", "cannot set general.alignment"),
        ("split.count=int:3", "cannot set split.count"),
    ],
)
def test_what_is_no_key(item: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_override(item)


def test_layers_are_sorted_and_counted_once() -> None:
    assert container(prune_layers="3, 1,3").pruned == container(prune_layers=[1, 3, 1]).pruned == (1, 3)
    for wrong in ("", "1,", "-1", "one", "\u0663", "1" * 12):
        with pytest.raises(UsageError, match="is no list of layers"):
            container(prune_layers=wrong)


def test_nothing_asked_for_is_a_plain_file() -> None:
    assert container() == PLAIN
    assert container(split_max_size="1M").limits == SplitLimits(max_bytes=10**6)
