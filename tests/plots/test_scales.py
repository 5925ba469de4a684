from __future__ import annotations

import pytest

from ggufpress.plots.scales import Scale, fitting


def test_even_scales_have_round_ticks() -> None:
    scale = fitting([1.81e6, 4.51e6], 0, 100)
    assert scale.ticks() == [2e6, 2.5e6, 3e6, 3.5e6, 4e6, 4.5e6]
    assert scale.at(scale.low) == 0
    assert scale.at(scale.high) == 100
    assert 0 < scale.at(1.81e6) < 10


def test_logarithmic_scales_have_powers_as_ticks() -> None:
    few = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]
    assert fitting([0.0002, 0.08], 100, 0, logarithmic=True).ticks() == pytest.approx(few)
    assert fitting([0.0001, 3], 100, 0, logarithmic=True).ticks() == pytest.approx([0.0001, 0.001, 0.01, 0.1, 1])
    assert Scale(1, 100, 0, 10, True).at(10) == 5


@pytest.mark.parametrize(
    ("values", "logarithmic"), [([0.0], False), ([7.0], False), ([7.0], True), ([-1.0, -1.0], False)]
)
def test_one_number_has_a_scale_too(values: list[float], logarithmic: bool) -> None:
    scale = fitting(values, 0, 100, logarithmic=logarithmic)
    assert 0 < scale.at(values[0]) < 100
