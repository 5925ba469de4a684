"""One output file, planned: its tensors with types and offsets, and its finished header."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.errors import UsageError
from ggufpress.gguf.carried import carried_metadata, set_last
from ggufpress.gguf.placed import PlacedFile
from ggufpress.gguf.shards import check_paths
from ggufpress.gguf.values import Metadata, Value, u32
from ggufpress.imatrix.keys import imatrix_keys
from ggufpress.imatrix.matrix import ImportanceMatrix
from ggufpress.mapping import Derived
from ggufpress.planning.container import PLAIN, Container
from ggufpress.planning.files import planned_files
from ggufpress.planning.gguf_model import guessed_file_type
from ggufpress.planning.model import QUANTIZATION_VERSION, Model
from ggufpress.planning.planned_tensor import PlannedTensor
from ggufpress.planning.stored import check_conversions
from ggufpress.quant.types import F32, QType
from ggufpress.recipe import Decision, Recipe, choose_types, converter_type, stripped
from ggufpress.recipe.presets import BY_NAME, COPY, Preset

CONVERTER_PRESETS = ("F32", "F16", "BF16", "Q8_0")
LAYOUTS = ("auto", "convert", "quantize")


@dataclass(frozen=True)
class OutputPlan:
    """One output. `files` are the one at `path`, or shards that are named after it; `tensors` are those of all files.

    The offset of a tensor counts in its file.
    """

    path: Path
    recipe: Recipe
    layout: str
    via: Preset | None
    metadata: Metadata
    tensors: tuple[PlannedTensor, ...]
    files: tuple[PlacedFile[PlannedTensor], ...]

    @property
    def preset(self) -> Preset:
        """The preset that names the file's type."""
        return self.recipe.preset

    @property
    def header(self) -> bytes:
        """All bytes of the first file before its data section."""
        return self.files[0].header

    @cached_property
    def data_bytes(self) -> int:
        """Bytes of the tensors, without padding."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @cached_property
    def file_bytes(self) -> int:
        """Size of all files."""
        return sum(file.file_bytes for file in self.files)

    @property
    def bpw(self) -> float:
        """Bits per weight over all tensors."""
        return 8 * self.data_bytes / sum(tensor.source.n_params for tensor in self.tensors)

    @property
    def fallbacks(self) -> tuple[PlannedTensor, ...]:
        """The tensors whose rows do not fit the type that the preset wanted."""
        return tuple(tensor for tensor in self.tensors if tensor.fallback)

    @property
    def upgrades(self) -> tuple[PlannedTensor, ...]:
        """The tensors that get a better type, as there is no importance for the one that was chosen."""
        return tuple(tensor for tensor in self.tensors if tensor.decision.upgrade)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json` and the manifest."""
        return {
            "path": str(self.path),
            "type": self.preset.name,
            "recipe": self.recipe.to_json(),
            "layout": self.layout,
            "via": self.via.name if self.via else None,
            "header_bytes": len(self.header),
            "data_bytes": self.data_bytes,
            "file_bytes": self.file_bytes,
            "bpw": round(self.bpw, 4),
            "files": [{"path": str(file.path), "bytes": file.file_bytes} for file in self.files],
            "tensors": [tensor.to_json() for tensor in self.tensors],
        }


def plan_output(
    model: Model,
    recipe: Recipe,
    layout: str,
    via: Preset,
    path: Path,
    wanted: Container = PLAIN,
    importance: ImportanceMatrix | None = None,
    imatrix_name: str | None = None,
) -> OutputPlan:
    """The file that holds `model` by `recipe` at `path`, or its shards.

    `imatrix_name` stands in the file for the path of `importance`. Raises UsageError, UnsupportedError or ImatrixError.
    """
    layout = resolved_layout(model.layout(layout), recipe, importance)
    quantizer = layout == "quantize"
    preset = recipe.preset
    ftype = _kept_file_type(model, via) if preset is COPY else preset.ftype
    metadata = dict(model.metadata)
    # for some families llama.cpp's converter writes no file type
    if FILE_TYPE in metadata:
        metadata[FILE_TYPE] = u32(ftype)
    if quantizer:
        metadata = carried_metadata(metadata)
        # llama-quantize sets these again, which moves them to the end
        for key, value in (
            (QUANTIZATION_VERSION, u32(2)),
            (FILE_TYPE, u32(ftype)),
            *model.overrides,
            *(imatrix_keys(importance, imatrix_name).items() if importance else ()),
            *_layers_left(model),
        ):
            set_last(metadata, key, value)
    decided = decide(model, recipe, layout, via, importance, in_order=wanted.keep_split)
    if model.stored:
        types = ((tensor.name, before, choice.qtype) for tensor, choice, before, _ in decided)
        check_conversions(types, preset.name, allow_requantize=wanted.allow_requantize)
    tensors = []
    for tensor, choice, before, nbytes in decided:
        shape = stripped(tensor.shape) if quantizer else tensor.shape
        used = importance if choice.importance == "entry" else None
        entry = used.entries[model.origins.get(tensor.name, tensor.name)] if used else None
        tensors.append(PlannedTensor(tensor, shape, before, 0, nbytes, choice, entry))
    files = planned_files(model, path, metadata, tensors, wanted)
    if model.stored:
        check_paths(model.stored, [file.path for file in files])
    placed = tuple(tensor for file in files for tensor in file.tensors)
    return OutputPlan(path, recipe, layout, via if quantizer else None, metadata, placed, files)


def _kept_file_type(model: Model, via: Preset) -> int:
    """The number that COPY leaves in the file: what its source says, or is taken for where it says nothing."""
    if model.file_type is not None:
        return model.file_type
    return via.ftype if FILE_TYPE in model.metadata else guessed_file_type(model.stored_types(via))


def _layers_left(model: Model) -> list[tuple[str, Value]]:
    """The number of layers where some were pruned: under the name of the architecture that llama.cpp sees."""
    return [] if model.layers_left is None else [(f"{model.facts.arch}.block_count", u32(model.layers_left))]


def decide(
    model: Model,
    recipe: Recipe,
    layout: str = "auto",
    via: Preset = BY_NAME["F32"],
    importance: ImportanceMatrix | None = None,
    *,
    in_order: bool = False,
) -> list[tuple[Derived, Decision, QType, int]]:
    """Each tensor in file order with its decision, the type whose rounding it takes on the way, and its bytes.

    `in_order`: the file's order is that of the source.
    """
    preset = recipe.preset
    if resolved_layout(model.layout(layout), recipe, importance) == "convert":
        decided = [
            (tensor, converter_type(tensor.name, tensor.shape, preset, tensor.as_f32), F32) for tensor in model.tensors
        ]
    else:
        by_name = {tensor.name: tensor for tensor in model.tensors}
        before = model.stored_types(via)
        listed = [(name, tensor.shape, before[name]) for name, tensor in by_name.items()]
        facts = replace(model.facts, imatrix=importance is not None)
        chosen = choose_types(listed, recipe, facts, _entry_sizes(model, importance), in_order=in_order)
        decided = [(by_name[name], choice, before[name]) for name, choice in chosen.items()]
    return [
        (tensor, choice, before, tensor.n_params // choice.qtype.block * choice.qtype.block_bytes)
        for tensor, choice, before in decided
    ]


def _entry_sizes(model: Model, importance: ImportanceMatrix | None) -> dict[str, int]:
    """How many numbers the matrix has for each tensor, which it knows by the name from before layers were pruned."""
    entries = importance.entries if importance else {}
    found = {tensor.name: entries.get(model.origins.get(tensor.name, tensor.name)) for tensor in model.tensors}
    return {name: entry.n_values for name, entry in found.items() if entry}


def resolved_layout(layout: str, recipe: Recipe, importance: ImportanceMatrix | None = None) -> str:
    """`convert` or `quantize`: for auto the converter's, where it has the type and there are no rules for it to follow.

    Raises UsageError where `convert` is asked for and the converter cannot.
    """
    preset = recipe.preset
    has = preset.name in CONVERTER_PRESETS
    told = importance is not None or recipe.has_rules
    if layout == "convert" and not has:
        raise UsageError(
            f"llama.cpp's converter does not write {preset.name}",
            hint=f"leave --layout out, or choose one of {', '.join(CONVERTER_PRESETS)}",
        )
    if layout == "convert" and told:
        raise UsageError(
            "llama.cpp's converter knows no rules for tensors and no importance matrix", hint="leave --layout out"
        )
    return "convert" if has and layout != "quantize" and not told else "quantize"
