from __future__ import annotations

import pytest

from ggufpress.errors import UsageError
from ggufpress.shards.division import SplitLimits, divide, shard_bytes, split_limits


def test_limits_in_tensors_and_in_bytes() -> None:
    assert divide([1] * 5, SplitLimits(max_tensors=2)) == [range(2), range(2, 4), range(4, 5)]
    # each tensor counts with its padding to 32
    assert divide([33, 64, 1, 32], SplitLimits(max_bytes=128)) == [range(2), range(2, 4)]
    # one that is larger than a shard may be gets one of its own
    assert divide([32, 500, 32], SplitLimits(max_bytes=64)) == [range(1), range(1, 2), range(2, 3)]


def test_a_first_shard_without_tensors() -> None:
    assert divide([1] * 3, SplitLimits(max_tensors=2, tensors_in_first=False)) == [range(0), range(2), range(2, 3)]
    assert divide([], SplitLimits(max_tensors=2)) == [range(0)]


@pytest.mark.parametrize("tensors_in_first", [True, False])
def test_a_first_tensor_that_is_too_large_is_refused_with_what_would_do(tensors_in_first: bool) -> None:
    with pytest.raises(UsageError, match="can hold the first tensor, which has 2,500,000") as caught:
        divide([2_500_000], SplitLimits(max_bytes=10**6, tensors_in_first=tensors_in_first))
    assert caught.value.hint == "--split-max-size 3M or more"


def test_more_shards_than_the_key_can_count() -> None:
    with pytest.raises(UsageError, match="65,536 shards"):
        divide([1] * 65536, SplitLimits(max_tensors=1))


def test_sizes_are_read_as_gguf_split_reads_them() -> None:
    assert (shard_bytes("500M"), shard_bytes("2G")) == (500 * 10**6, 2 * 10**9)
    assert split_limits() == SplitLimits(max_tensors=128)
    assert split_limits("1M") == SplitLimits(max_bytes=10**6)
    assert split_limits(5000).max_bytes == 5000


@pytest.mark.parametrize("text", ["", "M", "5", "5K", "1.5G", "-1M", "5m", "1 G", "9" * 13 + "G", "\u0661M", "0M"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no size|too small"):
        split_limits(text)


def test_limits_that_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        split_limits("1M", 5)
    with pytest.raises(UsageError, match="is too few"):
        split_limits(max_tensors=0)
