"""What differs between the keys of two models."""

from __future__ import annotations

import json
import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ggufpress.gguf.values import Metadata, Scalar, Value, ValueType
from ggufpress.inspection import ShownKey, shown_keys

CONTEXT = 40
"""Characters of a text that are shown from where it changes."""
LISTED = 3


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that both sides have, with other values. `about` says where they part."""

    left: ShownKey
    right: ShownKey
    about: str

    @property
    def key(self) -> str:
        """Its name."""
        return self.left.key

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {"key": self.key, "left": self.left.to_json(), "right": self.right.to_json(), "about": self.about}


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """The keys of two sides. `removed` only the left one has, `added` only the right one, `same` have the same values.

    `moved` is the first key that both have in another order, None where the order is the same.
    """

    removed: tuple[ShownKey, ...]
    added: tuple[ShownKey, ...]
    changed: tuple[KeyChange, ...]
    same: int
    moved: str | None

    @property
    def equal(self) -> bool:
        """Whether both have the same keys with the same values, in whatever order."""
        return not (self.removed or self.added or self.changed)

    @property
    def touched(self) -> tuple[str, ...]:
        """The names of all keys that differ."""
        return (*(change.key for change in self.changed), *(key.key for key in (*self.removed, *self.added)))

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "equal": self.equal, "same": self.same, "same_order": self.moved is None, "first_moved": self.moved,
            "removed": [key.to_json() for key in self.removed], "added": [key.to_json() for key in self.added],
            "changed": [change.to_json() for change in self.changed],
        }  # fmt: skip


def compare_keys(left: Metadata, right: Metadata, ignored: Collection[str] = ()) -> KeyComparison:
    """What differs between two sets of keys, apart from the `ignored` ones. Values are equal where their bytes would be."""
    left = {key: value for key, value in left.items() if key not in ignored}
    right = {key: value for key, value in right.items() if key not in ignored}
    shown = ({key.key: key for key in shown_keys(left)}, {key.key: key for key in shown_keys(right)})
    common = [key for key in left if key in right]
    changed = [key for key in common if not same_value(left[key], right[key])]
    theirs = [key for key in right if key in left]
    return KeyComparison(
        removed=tuple(shown[0][key] for key in left if key not in right),
        added=tuple(shown[1][key] for key in right if key not in left),
        changed=tuple(KeyChange(shown[0][key], shown[1][key], _about(left[key], right[key])) for key in changed),
        same=len(common) - len(changed),
        moved=next((ours for ours, other in zip(common, theirs, strict=True) if ours != other), None),
    )


def same_value(left: Value, right: Value) -> bool:
    """Whether both are written as the same bytes."""
    return (left.type, left.item_type) == (right.type, right.item_type) and _stored(left) == _stored(right)


def _stored(value: Value) -> Any:
    """The value as a file holds it: text as bytes, floats rounded and by their bits, so that NaN equals itself."""
    kind = value.item_type if isinstance(value.data, tuple) else value.type
    items = value.data if isinstance(value.data, tuple) else (value.data,)
    if kind is ValueType.STRING:
        return [_bytes(item) for item in items]
    if kind in (ValueType.FLOAT32, ValueType.FLOAT64):
        return struct.pack(f"<{len(items)}{'f' if kind is ValueType.FLOAT32 else 'd'}", *items)
    return items


def _bytes(item: Scalar) -> Scalar:
    return item.encode("utf-8", "surrogateescape") if isinstance(item, str) else item


def _about(left: Value, right: Value) -> str:
    if (left.type, left.item_type) != (right.type, right.item_type):
        return f"{_type(left)} -> {_type(right)}"
    if isinstance(left.data, tuple) and isinstance(right.data, tuple):
        return _items(left.data, right.data)
    if isinstance(left.data, str | bytes) and isinstance(right.data, str | bytes):
        return _text(_readable(left.data), _readable(right.data))
    return f"{left.data!r} -> {right.data!r}"


def _type(value: Value) -> str:
    return f"ARRAY of {value.item_type.name}" if value.item_type is not None else value.type.name


def _items(left: tuple[Scalar, ...], right: tuple[Scalar, ...]) -> str:
    """How many items differ, and the first of them."""
    pairs = zip(left, right, strict=False)
    wrong = [at for at, (ours, theirs) in enumerate(pairs) if _bytes(ours) != _bytes(theirs)]
    shown = ", ".join(f"[{at}] {_short(left[at])} -> {_short(right[at])}" for at in wrong[:LISTED])
    more = ", ..." if len(wrong) > LISTED else ""
    parts = [f"{len(left):,} -> {len(right):,} items"] if len(left) != len(right) else []
    if wrong:
        parts.append(f"{len(wrong):,} of {min(len(left), len(right)):,} differ: {shown}{more}")
    return "; ".join(parts)


def _text(left: str, right: str) -> str:
    """Short texts as they are, long ones from a little before where they part."""
    if max(len(left), len(right)) <= 2 * CONTEXT:
        return f"{_quoted(left)} -> {_quoted(right)}"
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    start = max(0, at - CONTEXT // 4)
    ours, theirs = (_quoted(text[start : start + CONTEXT]) for text in (left, right))
    return f"{len(left):,} -> {len(right):,} characters; from character {at:,} on: ...{ours} -> ...{theirs}"


def _short(item: Scalar) -> str:
    if isinstance(item, str | bytes):
        return _quoted(_readable(item)[:CONTEXT])
    return f"{item:.9g}" if isinstance(item, float) else str(item)


def _readable(text: str | bytes) -> str:
    return text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text


def _quoted(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in json.dumps(text, ensure_ascii=False))
