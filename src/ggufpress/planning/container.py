"""What a caller asks for beyond types: other keys, fewer layers, shards. As llama-quantize and gguf-split understand it.

Source: TREE tools/quantize/quantize.cpp (`parse_layer_prune`), common/common.cpp (`string_parse_kv_override`),
src/llama-quant.cpp (what becomes of both).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ggufpress.errors import UsageError
from ggufpress.gguf.shards import SHARD_KEYS
from ggufpress.gguf.values import Value, ValueType, f32, flag, text, u32
from ggufpress.shards.division import SplitLimits, split_limits

MAX_TEXT_BYTES = 127
"""llama-quantize holds a key, and a text, in 128 bytes with a NUL."""
RESERVED = ("general.alignment", *SHARD_KEYS)
WORDS = {ValueType.UINT32: "int", ValueType.FLOAT32: "float", ValueType.BOOL: "bool", ValueType.STRING: "str"}
KINDS = tuple(WORDS.values())


@dataclass(frozen=True, slots=True)
class Container:
    """How the files are to differ from one plain file of the model.

    `pruned` are layers that are left out, in ascending order. `overrides` are keys that are set, in order. `keep_split`
    makes shards as the source has them, `limits` cuts the finished file as gguf-split does. `allow_requantize` says that
    tensors may get a second quantized type after the one they have.
    """

    allow_requantize: bool = False
    pruned: tuple[int, ...] = ()
    overrides: tuple[tuple[str, Value], ...] = ()
    keep_split: bool = False
    limits: SplitLimits | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data for the manifest; keys as `parse_override` takes them."""
        limits = self.limits
        return {
            "allow_requantize": self.allow_requantize,
            "prune_layers": list(self.pruned),
            "override_kv": [override_text(key, value) for key, value in self.overrides],
            "keep_split": self.keep_split,
            "split": {"max_bytes": limits.max_bytes, "max_tensors": limits.max_tensors} if limits else None,
        }


PLAIN = Container()


def container(
    *,
    allow_requantize: bool = False,
    prune_layers: str | Sequence[int] = (),
    override_kv: Sequence[str] = (),
    keep_split: bool = False,
    split_max_size: str | int | None = None,
    split_max_tensors: int | None = None,
) -> Container:
    """What these options ask for. Raises UsageError where one is malformed or two exclude each other.

    Example: `container(prune_layers="3,7", override_kv=["general.name=str:small"]).pruned == (3, 7)`
    """
    limits = None
    if split_max_size is not None or split_max_tensors is not None:
        if keep_split:
            raise UsageError("--keep-split and --split-max-size or --split-max-tensors exclude each other")
        limits = split_limits(split_max_size, split_max_tensors)
    return Container(
        allow_requantize,
        _layers(prune_layers),
        tuple(parse_override(item) for item in override_kv),
        keep_split,
        limits,
    )


def parse_override(item: str) -> tuple[str, Value]:
    """The key and the value of KEY=TYPE:VALUE, where TYPE is int, float, bool or str.

    As in llama-quantize an int becomes a UINT32 of its absolute value and a float a FLOAT32.
    """
    key, _, typed = item.partition("=")
    kind, colon, value = typed.partition(":")
    if not key or not colon or kind not in KINDS:
        raise UsageError(
            f"--override-kv {item!r} is not KEY=TYPE:VALUE",
            hint=f"TYPE is one of {', '.join(KINDS)}: general.name=str:mine",
        )
    if key in RESERVED:
        raise UsageError(f"--override-kv cannot set {key}: it says how the file itself is laid out")
    if len(key.encode()) > MAX_TEXT_BYTES:
        raise UsageError(f"--override-kv: the key {key!r} has more than {MAX_TEXT_BYTES} bytes")
    return key, _value(item, kind, value)


def override_text(key: str, value: Value) -> str:
    """What `parse_override` reads as this key and value."""
    data = value.data.decode() if isinstance(value.data, bytes) else str(value.data)
    return f"{key}={WORDS[value.type]}:{data.lower() if value.type is ValueType.BOOL else data}"


def _value(item: str, kind: str, value: str) -> Value:
    if kind == "str":
        if len(value.encode()) > MAX_TEXT_BYTES:
            raise UsageError(
                f"--override-kv: the text for {item.partition('=')[0]} has more than {MAX_TEXT_BYTES} bytes"
            )
        return text(value)
    if kind == "bool":
        if value not in ("true", "false"):
            raise UsageError(f"--override-kv {item!r}: {value!r} is not true or false")
        return flag(value == "true")
    try:
        number = float(value) if kind == "float" else int(value)
    except ValueError:
        raise UsageError(f"--override-kv {item!r}: {value!r} is no number") from None
    if isinstance(number, int):
        if abs(number) >= 1 << 32:
            raise UsageError(f"--override-kv {item!r}: {number} does not fit into 32 bits")
        return u32(abs(number))
    try:
        struct.pack("<f", number)
    except OverflowError:
        number = math.copysign(math.inf, number)
    return f32(number)


def _layers(layers: str | Sequence[int]) -> tuple[int, ...]:
    if isinstance(layers, str):
        parts = layers.split(",")
        if not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 10 for part in parts):
            raise UsageError(f"--prune-layers {layers!r} is no list of layers", hint="numbers with commas: 3,7")
        layers = [int(part) for part in parts]
    if any(layer < 0 for layer in layers):
        raise UsageError(f"--prune-layers: {min(layers)} is no layer")
    return tuple(sorted(set(layers)))
