from __future__ import annotations

import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from ggufpress import compare, quantize
from ggufpress.errors import OutputError
from ggufpress.plots.comparison import comparison_plot, errors_map, write_plot
from ggufpress.plots.heatmap import Scale
from ggufpress.plots.svg import Drawing, colour
from tests.tiny_checkpoints import BARD

SVG = "{http://www.w3.org/2000/svg}"


def test_a_comparison_is_drawn_inside_its_borders(tmp_path: Path) -> None:
    quantize(BARD, ["Q4_K_M", "Q8_0"], output=tmp_path)
    found = compare(tmp_path / "bard-4m-Q8_0.gguf", tmp_path / "bard-4m-Q4_K_M.gguf")
    picture = comparison_plot(found)
    assert picture == comparison_plot(found)
    root = xml.fromstring(picture)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    boxes = root.findall(f"{SVG}rect")[1:]
    assert len(boxes) > 39
    for box in boxes:
        x, y, w, h = (float(box.attrib[key]) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
    told = [title.text for title in root.iter(f"{SVG}title")]
    assert "blk.0.attn_norm.weight: F32, the same bytes" in told
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"attn_q", "ffn_down", "Q4_K", "Q8_0", "3"} <= set(texts)
    heat = errors_map(found.tensors)
    assert len(heat.values) == len(found.tensors)
    assert heat.columns == ["-", "0", "1", "2", "3"]
    assert "prefers-color-scheme: dark" in picture


def test_names_of_a_hostile_file_stay_text() -> None:
    on = Drawing("<script>", 10, 10)
    on.text(0, 0, "<b>&\x00\x1b")
    on.rect(0, 0, 1, 1, about='"><script>')
    root = xml.fromstring(on.svg())
    assert root.findall(f"{SVG}text")[0].text == "<b>&??"
    assert "<script>" not in on.svg()


def test_scales() -> None:
    assert (colour(0), colour(1), colour(2)) == ("#440154", "#fde725", "#fde725")
    scale = Scale.of([0.02, 0.05, 0.0])
    assert 10**scale.low <= 0.02
    assert 10**scale.high >= 0.05
    assert scale.colour(0.02) != scale.colour(0.05)
    assert scale.colour(float("inf")) == colour(1)
    assert Scale.of([0.0]).high > Scale.of([0.0]).low


def test_a_picture_is_not_replaced_unasked(tmp_path: Path) -> None:
    write_plot(tmp_path / "a.svg", "x")
    with pytest.raises(OutputError, match="exists already"):
        write_plot(tmp_path / "a.svg", "y")
    write_plot(tmp_path / "a.svg", "y", force=True)
    assert (tmp_path / "a.svg").read_text() == "y"
