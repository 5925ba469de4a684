from __future__ import annotations

from math import nan

from ggufpress.comparison.keys import compare_keys, same_value
from ggufpress.gguf.values import Metadata, ValueType, array, f32, text, u32

LEFT: Metadata = {
    "general.name": text("a"), "n": u32(3), "eps": f32(1e-5), "tokens": array(ValueType.STRING, ["x", "y", "z"]),
    "scores": array(ValueType.FLOAT32, [0.1, nan]),
}  # fmt: skip


def test_values_are_equal_where_their_bytes_are() -> None:
    # what a file gives back: a rounded float, text as bytes
    right = LEFT | {"eps": f32(9.999999747378752e-06), "general.name": text(b"a")}
    found = compare_keys(LEFT, right)
    assert (found.equal, found.same, found.moved) == (True, 5, None)
    assert not same_value(u32(1), f32(1))
    assert not same_value(f32(0.0), f32(-0.0))


def test_what_is_added_removed_changed_and_moved() -> None:
    right = {"new": u32(1)} | {key: LEFT[key] for key in ("n", "general.name", "tokens", "scores")} | {"n": text("3")}
    right["tokens"] = array(ValueType.STRING, ["x", "Y", "z", "w"])
    found = compare_keys(LEFT, right)
    assert [key.key for key in found.removed] == ["eps"]
    assert [key.key for key in found.added] == ["new"]
    about = {change.key: change.about for change in found.changed}
    assert about["n"] == "UINT32 -> STRING"
    assert about["tokens"] == '3 -> 4 items; 1 of 3 differ: [1] "y" -> "Y"'
    assert found.moved == "general.name"
    assert found.touched == ("n", "tokens", "eps", "new")
    assert compare_keys(LEFT, right, ["n", "tokens", "eps", "new"]).equal


def test_long_texts_are_shown_from_where_they_part() -> None:
    (change,) = compare_keys({"t": text("a" * 200 + "{% if x %}")}, {"t": text("a" * 200 + "{% if y %}\x1b")}).changed
    assert change.about.startswith("210 -> 211 characters; from character 206 on: ...")
    assert "{% if y" in change.about
    assert "\x1b" not in change.about
    many = compare_keys({"t": array(ValueType.INT32, range(100))}, {"t": array(ValueType.INT32, [7] * 100)}).changed[0]
    assert many.about == "99 of 100 differ: [0] 0 -> 7, [1] 1 -> 7, [2] 2 -> 7, ..."
