from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from ggufpress.plots.quality import Point, pareto_front, quality_plot, short_names, size_text
from ggufpress.quality.figures import Estimate, divergence
from ggufpress.quality.measure import Evaluation, Quality
from ggufpress.quality.probabilities import Compared

SVG = "{http://www.w3.org/2000/svg}"


def quality(name: str, nbytes: int, figure: float, *, reference: bool = True) -> Quality:
    ones = np.ones(20, np.float32)
    apart = divergence(Compared(ones, ones, figure * ones, 0 * ones, np.ones(20, np.bool_))) if reference else None
    return Quality(Path(f"{name}.gguf"), nbytes, 4.5, Estimate(figure, 0.1 * figure), apart, 6, 100, 1.0)


def evaluation(*files: Quality) -> Evaluation:
    return Evaluation(files[0] if files[0].divergence else None, files, "valid.txt", 512, "llama.cpp", 1.0)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in Xml.fromstring(svg).iter(f"{SVG}text")]


def test_the_front_is_what_no_other_beats() -> None:
    points = [Point("a", 3, 1, 0), Point("b", 1, 5, 0), Point("c", 2, 6, 0), Point("d", 3, 2, 0), Point("e", 4, 1, 0)]
    assert [points[number].name for number in pareto_front(points)] == ["b", "a"]
    assert pareto_front([]) == []


def test_files_are_called_by_what_tells_them_apart() -> None:
    names = ["Tiny-1.1B-Q4_K_M", "Tiny-1.1B-Q4_0", "Tiny-1.1B-Q8_0"]
    assert short_names([quality(name, 1, 1) for name in names]) == ["Q4_K_M", "Q4_0", "Q8_0"]
    assert short_names([quality("Tiny-Q8_0", 1, 1)]) == ["Q8_0"]
    assert short_names([quality("one", 1, 1), quality("two", 1, 1)]) == ["one", "two"]
    assert short_names([quality("same", 1, 1), quality("same", 1, 1)]) == ["same", "same"]


def test_every_file_is_named_and_the_front_is() -> None:
    files = [
        quality("m-Q2_K", 2_000_000, 0.08),
        quality("m-Q4_0", 2_600_000, 0.009),
        quality("m-Q4_K", 2_500_000, 0.006),
    ]
    svg = quality_plot(evaluation(*files), "models/m")
    said = texts(svg)
    assert said[:2] == [
        "KL divergence from the reference against size",
        "valid.txt: 6 chunks of 512 tokens, beside models/m",
    ]
    assert {"Q2_K", "Q4_0", "Q4_K"} <= set(said)
    assert said[-1] == "Q2_K, Q4_K"
    assert "0.01" in said
    dots = [dot for dot in Xml.fromstring(svg).iter(f"{SVG}circle") if list(dot)]
    assert [dot.get("class") for dot in dots] == ["a", "b", "a"]
    assert dots[0][0].text == "Q2_K: 2 MB, 0.08 ± 0"
    assert "prefers-color-scheme: dark" in svg


def test_without_a_reference_perplexity_is_drawn() -> None:
    svg = quality_plot(evaluation(quality("m-Q2_K", 2_000_000, 80, reference=False)), None)
    assert texts(svg)[0] == "Perplexity against size"


@pytest.mark.parametrize("figure", [0.0, -1e-6])
def test_a_copy_of_the_reference_is_drawn_too(figure: float) -> None:
    svg = quality_plot(evaluation(quality("m-F16", 8_000_000, figure), quality("m-Q2_K", 2_000_000, 0.08)), "m")
    assert {"F16", "Q2_K"} <= set(texts(svg))


def test_forty_files_in_one_place_do_not_write_over_each_other() -> None:
    files = [quality(f"m-Q{number}", 2_000_000 + number, 0.01 - number * 1e-6) for number in range(40)]
    svg = quality_plot(evaluation(*files), "m")
    places = [(e.get("x"), e.get("y")) for e in Xml.fromstring(svg).iter(f"{SVG}text")]
    assert len(places) == len(set(places))


def test_names_are_text_whatever_they_hold() -> None:
    svg = quality_plot(evaluation(quality("m-<b>&\x1b[0m", 1, 1), quality("m-Q2", 2, 2)), "<script>")
    assert "<b>&?[0m" in texts(svg)


def test_sizes() -> None:
    assert (size_text(2_500_000), size_text(1.25e9)) == ("2.5 MB", "1.25 GB")
