"""One output file, planned: its tensors with types and offsets, and its finished header."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.ops import Shape
from ggufpress.errors import UsageError
from ggufpress.gguf.header import TensorInfo, data_offsets, encode_header, padded
from ggufpress.gguf.values import Metadata, u32
from ggufpress.mapping import Derived
from ggufpress.planning.model import QUANTIZATION_VERSION, Model
from ggufpress.presets import BY_NAME, Preset
from ggufpress.quant.types import F32, QType
from ggufpress.recipe import Decision, choose_types, converter_type, stripped

CONVERTER_PRESETS = ("F32", "F16", "BF16", "Q8_0")
LAYOUTS = ("auto", "convert", "quantize")


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """One tensor of one output: where it comes from, what it becomes and where it goes.

    `via` is the type whose rounding each weight takes before it gets `qtype`: that of llama-quantize's input file.
    `offset` counts bytes from the start of the data section.
    """

    source: Derived
    shape: Shape
    qtype: QType
    via: QType
    offset: int
    nbytes: int
    rule: str
    fallback: str | None

    @property
    def name(self) -> str:
        """The name in the GGUF file."""
        return self.source.name

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json` and the manifest."""
        return {
            "name": self.name,
            "shape": list(self.shape),
            "sources": [ref.name for ref in self.source.sources],
            "source_type": self.source.dtype.name,
            "ops": [str(step) for step in self.source.steps],
            "type": self.qtype.name,
            "via": self.via.name,
            "offset": self.offset,
            "bytes": self.nbytes,
            "rule": self.rule,
            "fallback": self.fallback,
        }


@dataclass(frozen=True)
class OutputPlan:
    """One output file. `header` holds all bytes before the data section."""

    path: Path
    preset: Preset
    layout: str
    via: Preset | None
    metadata: Metadata
    tensors: tuple[PlannedTensor, ...]
    header: bytes

    @cached_property
    def data_bytes(self) -> int:
        """Bytes of the tensors, without padding."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @cached_property
    def file_bytes(self) -> int:
        """Size of the file."""
        last = self.tensors[-1]
        return len(self.header) + padded(last.offset + last.nbytes)

    @property
    def bpw(self) -> float:
        """Bits per weight over all tensors."""
        return 8 * self.data_bytes / sum(tensor.source.n_params for tensor in self.tensors)

    @property
    def fallbacks(self) -> tuple[PlannedTensor, ...]:
        """The tensors whose rows do not fit the type that the preset wanted."""
        return tuple(tensor for tensor in self.tensors if tensor.fallback)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json` and the manifest."""
        return {
            "path": str(self.path),
            "type": self.preset.name,
            "layout": self.layout,
            "via": self.via.name if self.via else None,
            "header_bytes": len(self.header),
            "data_bytes": self.data_bytes,
            "file_bytes": self.file_bytes,
            "bpw": round(self.bpw, 4),
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }


def plan_output(model: Model, preset: Preset, layout: str, via: Preset, path: Path) -> OutputPlan:
    """The file that holds `model` as `preset` at `path`. Raises UsageError or UnsupportedError."""
    layout = resolved_layout(layout, preset)
    quantizer = layout == "quantize"
    metadata = dict(model.metadata)
    if quantizer:
        # llama-quantize sets these two again, which moves them to the end
        metadata[QUANTIZATION_VERSION] = metadata.pop(QUANTIZATION_VERSION)
        metadata.pop(FILE_TYPE, None)
    # for some families llama.cpp's converter writes no file type
    if quantizer or FILE_TYPE in metadata:
        metadata[FILE_TYPE] = u32(preset.ftype)
    decided = decide(model, preset, layout, via)
    placed: list[PlannedTensor] = []
    for (tensor, choice, before, nbytes), offset in zip(decided, data_offsets(row[-1] for row in decided), strict=True):
        shape = stripped(tensor.shape) if quantizer else tensor.shape
        placed.append(PlannedTensor(tensor, shape, choice.qtype, before, offset, nbytes, choice.rule, choice.fallback))
    infos = [TensorInfo(tensor.name, tensor.shape, tensor.qtype, tensor.offset) for tensor in placed]
    header = encode_header(metadata, infos)
    return OutputPlan(path, preset, layout, via if quantizer else None, metadata, tuple(placed), header)


def decide(
    model: Model, preset: Preset, layout: str = "auto", via: Preset = BY_NAME["F32"]
) -> list[tuple[Derived, Decision, QType, int]]:
    """Each tensor in file order with its decision, the type whose rounding it takes on the way, and its bytes."""
    if resolved_layout(layout, preset) == "convert":
        decided = [
            (tensor, converter_type(tensor.name, tensor.shape, preset, tensor.as_f32), F32) for tensor in model.tensors
        ]
    else:
        by_name = {tensor.name: tensor for tensor in model.tensors}
        before = {
            name: converter_type(name, tensor.shape, via, tensor.as_f32).qtype for name, tensor in by_name.items()
        }
        listed = [(name, tensor.shape, before[name]) for name, tensor in by_name.items()]
        chosen = choose_types(listed, preset, model.facts)
        decided = [(by_name[name], choice, before[name]) for name, choice in chosen.items()]
    return [
        (tensor, choice, before, tensor.n_params // choice.qtype.block * choice.qtype.block_bytes)
        for tensor, choice, before in decided
    ]


def resolved_layout(layout: str, preset: Preset) -> str:
    """`convert` or `quantize`: for auto the converter's, where it has the type. Raises UsageError where it has not."""
    has = preset.name in CONVERTER_PRESETS
    if layout == "convert" and not has:
        raise UsageError(
            f"llama.cpp's converter does not write {preset.name}",
            hint=f"leave --layout out, or choose one of {', '.join(CONVERTER_PRESETS)}",
        )
    return "convert" if has and layout != "quantize" else "quantize"
