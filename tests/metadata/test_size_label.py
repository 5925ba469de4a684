from __future__ import annotations

import pytest

from ggufpress.metadata import ParameterCounts, size_label


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0, "0.00K"),
        (900, "0.9K"),
        (1_000_000, "1000K"),
        (1_000_001, "1.0M"),
        (134_515_008, "135M"),
        (1_100_048_384, "1.1B"),
        (7_241_732_096, "7.2B"),
        (70_553_706_496, "71B"),
        (1_000_000_000_001, "1.0T"),
    ],
)
def test_dense(total: int, expected: str) -> None:
    assert size_label(ParameterCounts(total, total, 0, 0)) == expected


def test_experts_count_once_each() -> None:
    assert size_label(ParameterCounts(46_702_792_704, 1_605_898_240, 5_637_144_576, 8)) == "8x7.2B"
