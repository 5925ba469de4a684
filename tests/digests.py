"""What is recorded of a reference file, so that a difference can be named without having the file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ggufpress.gguf.reader import read_gguf
from ggufpress.recipe import presets

# what is recorded of each checkpoint: outtypes of the converter, then (via, preset) of llama-quantize
CONVERTED = ("auto", "f32", "f16", "bf16", "q8_0")
PRESETS = ("Q4_0", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0", "F16", "BF16", "F32")
QUANTIZED = (
    *(("auto", preset) for preset in PRESETS),
    ("f16", "Q4_K_M"), ("f32", "Q4_K_M"), ("bf16", "Q4_K_M"), ("f16", "Q6_K"), ("f32", "Q8_0"), ("bf16", "Q4_0"),
)  # fmt: skip
# and of these checkpoints, which together reach every rule, all other presets
ALL_PRESETS_OF = ("bard-4m", "deep-gqa", "mixtral-8", "odd-96-wide", "tied-linear-rope")
MORE_PRESETS = tuple(preset.name for preset in presets.PRESETS if preset.name not in PRESETS)

# the same of the families' checkpoints, which are about rules and not about types
FAMILY_CONVERTED = ("auto", "q8_0")
FAMILY_QUANTIZED = (("auto", "Q4_K_M"),)


def short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def digest(path: Path) -> dict[str, Any]:
    """The sha256 of the whole file; per key type and content, per tensor type, shape, offset and content, shortened."""
    file = read_gguf(path)
    data = path.read_bytes()
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "keys": {key: f"{value.type.name} {short(repr(value.data).encode())}" for key, value in file.metadata.items()},
        "tensors": {
            tensor.name: f"{tensor.qtype} {list(tensor.shape)} @{tensor.offset} "
            f"{short(data[tensor.offset : tensor.offset + tensor.nbytes])}"
            for tensor in file.tensors
        },
    }


def differences(ours: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Lines that name what differs; empty where the files are equal."""
    if ours["sha256"] == expected["sha256"]:
        return []
    lines = []
    for part in ("keys", "tensors"):
        left, right = ours[part], expected[part]
        lines += [f"{part}: {name} is {left.get(name)}, expected {right.get(name)}"
                  for name in {**right, **left} if left.get(name) != right.get(name)]  # fmt: skip
        if list(left) != list(right):
            lines.append(f"{part}: order is {list(left)}, expected {list(right)}")
    return lines or ["only padding differs"]
