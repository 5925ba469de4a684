from __future__ import annotations

from ggufpress.gguf.carried import carried_metadata, carried_shape, n_cut, set_last
from ggufpress.gguf.values import Metadata, ValueType, array, text, u32


def test_strings_end_at_a_nul() -> None:
    keys: Metadata = {
        "a": text("x\0y"),
        "b": array(ValueType.STRING, ["\0", b"z\0\xff", "plain"]),
        "c": text(b"\xff\0"),
        "n": u32(3),
        "e": array(ValueType.STRING, []),
    }
    found = carried_metadata(keys)
    assert list(found) == list(keys)
    assert [value.data for value in found.values()] == ["x", ("", b"z", "plain"), b"\xff", 3, ()]
    assert n_cut(keys) == 4
    assert n_cut(found) == 0


def test_a_key_that_is_set_again_moves_to_the_end() -> None:
    keys: Metadata = {"a": u32(1), "b": u32(2)}
    set_last(keys, "a", u32(3))
    assert list(keys.items()) == [("b", u32(2)), ("a", u32(3))]


def test_leading_ones_are_not_counted() -> None:
    assert [carried_shape(shape) for shape in ((), (1,), (1, 1), (1, 3, 1), (2, 1), (1, 1, 4, 5))] == [
        (1,), (1,), (1,), (3, 1), (2, 1), (4, 5),
    ]  # fmt: skip
