"""The plan: for each output file every tensor with its sources, ops, type, bytes and final offset. From headers only.

A plan is total and frozen: nothing is decided later. The header of each output is complete before a weight is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.arch.ops import Shape
from ggufpress.arch.registry import describe
from ggufpress.arch.spec import Arch
from ggufpress.errors import UsageError
from ggufpress.gguf.header import TensorInfo, data_offsets, encode_header, padded
from ggufpress.gguf.values import Metadata, text, u32
from ggufpress.mapping import Derived, TensorMap, map_tensors
from ggufpress.metadata.general import general_metadata
from ggufpress.metadata.size_label import ParameterCounts
from ggufpress.mixture import ModelFacts
from ggufpress.presets import AUTO, BY_NAME, Preset, preset_named
from ggufpress.quant.types import F32, QType
from ggufpress.recipe import Decision, choose_types, converter_type, stripped
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import Vocab, read_vocab

CONVERTER_PRESETS = ("F32", "F16", "BF16", "Q8_0")
LAYOUTS = ("auto", "convert", "quantize")
VIAS = ("auto", "f32", "f16", "bf16")
LAYERS_OF_70B = {"llama": 80, "qwen2": 80, "deci": 80, "olmo": 80, "jais2": 68}
"""Number of layers that llama.cpp calls a 70B model, by architecture (src/models/*.cpp)."""
QUANTIZATION_VERSION = "general.quantization_version"


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


@dataclass(frozen=True)
class Plan:
    """All outputs of one run over one checkpoint."""

    checkpoint: Checkpoint
    arch: Arch
    vocab: Vocab
    tensors: TensorMap
    outputs: tuple[OutputPlan, ...]
    notes: tuple[str, ...]

    @property
    def n_params(self) -> int:
        """Number of weights of the model."""
        return sum(tensor.n_params for tensor in self.tensors.tensors)

    @property
    def source_bytes(self) -> int:
        """Bytes that are read from the checkpoint."""
        return sum(ref.nbytes for tensor in self.tensors.tensors for ref in tensor.sources)

    @property
    def disk_bytes(self) -> int:
        """Free space that the outputs need."""
        return sum(output.file_bytes for output in self.outputs)

    def to_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "source": str(self.checkpoint.root),
            "class": self.arch.hf_class,
            "architecture": self.arch.name,
            "layers": self.arch.n_layer,
            "experts": self.arch.n_expert,
            "vocabulary": {"kind": self.vocab.kind, "size": self.vocab.n_vocab, "notes": list(self.vocab.notes)},
            "parameters": self.n_params,
            "source_bytes": self.source_bytes,
            "disk_bytes": self.disk_bytes,
            "dropped": [{"name": name, "reason": reason} for name, reason in self.tensors.dropped],
            "notes": list(self.notes),
            "outputs": [output.to_json() for output in self.outputs],
        }


def build_plan(
    checkpoint: Checkpoint,
    types: Sequence[str] = ("Q4_K_M",),
    *,
    output: Path | None = None,
    via: str = "auto",
    layout: str = "auto",
) -> Plan:
    """The plan that makes one file per entry of `types` from `checkpoint`. Reads the small files, but no weight.

    `output` is a file (only with one type) or a folder, by default the current one. `via` and `layout` say which of
    llama.cpp's files to equal: see docs/concepts/parity.md.
    Raises UsageError, CheckpointError, ConfigError, TokenizerError, UnsupportedError or MappingError.
    """
    if via not in VIAS:
        raise UsageError(f"--via {via!r} is unknown", hint=f"one of {', '.join(VIAS)}")
    if layout not in LAYOUTS:
        raise UsageError(f"--layout {layout!r} is unknown", hint=f"one of {', '.join(LAYOUTS)}")
    if not types:
        raise UsageError("no type is asked for", hint="-q Q4_K_M is the usual choice")
    presets = [None if name.upper() == AUTO else preset_named(name) for name in types]
    arch = describe(checkpoint)
    tensors = map_tensors(checkpoint, arch)
    vocab = read_vocab(checkpoint, vocab_kind(checkpoint, arch), arch.n_vocab)
    detected = detected_preset(checkpoint)
    via_preset = detected if via == "auto" else preset_named(via)
    chosen = [preset or detected for preset in presets]
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"a type is asked for twice: {', '.join(preset.name for preset in chosen)}")
    paths = output_paths(checkpoint.name, [preset.name for preset in chosen], output)

    counts = parameter_counts(tensors)
    keys: Metadata = {"general.architecture": text(arch.name)}
    keys.update(general_metadata(checkpoint, counts))
    keys.update(arch.metadata)
    keys[QUANTIZATION_VERSION] = u32(2)
    keys.update(vocab.metadata)
    keys.update(arch.vocab_keys)

    outputs = tuple(
        _output(keys, tensors, arch, preset, layout, via_preset, path)
        for preset, path in zip(chosen, paths, strict=True)
    )
    return Plan(checkpoint, arch, vocab, tensors, outputs, _notes(arch, tensors, vocab))


def vocab_kind(checkpoint: Checkpoint, arch: Arch) -> str:
    """How the tokenizer is read: `spm-or-bpe` is SentencePiece where there is a tokenizer.model, else byte-level BPE."""
    if arch.vocab != "spm-or-bpe":
        return arch.vocab
    return "spm" if checkpoint.has("tokenizer.model") else "bpe"


def detected_preset(checkpoint: Checkpoint) -> Preset:
    """What the converter's `--outtype auto` chooses: by the first half-precision matrix, F16 where there is none."""
    for ref in checkpoint.tensors.values():
        if len(ref.shape) >= 2 and ref.dtype in ("F16", "BF16"):
            return BY_NAME[ref.dtype]
    return BY_NAME["F16"]


def resolved_layout(layout: str, preset: Preset) -> str:
    """`convert` or `quantize`: for auto the converter's, where it has the type. Raises UsageError where it has not."""
    has = preset.name in CONVERTER_PRESETS
    if layout == "convert" and not has:
        raise UsageError(
            f"llama.cpp's converter does not write {preset.name}",
            hint=f"leave --layout out, or choose one of {', '.join(CONVERTER_PRESETS)}",
        )
    return "convert" if has and layout != "quantize" else "quantize"


def output_paths(model: str, types: Sequence[str], output: Path | None) -> list[Path]:
    """The path of each output: `output` itself where it names a file, else `<model>-<TYPE>.gguf` in that folder."""
    if output is not None and output.suffix == ".gguf" and not output.is_dir():
        if len(types) > 1:
            raise UsageError(f"{output} is one file, but {len(types)} types are asked for", hint="-o takes a folder")
        return [output]
    folder = output or Path()
    return [folder / f"{model}-{name}.gguf" for name in types]


def parameter_counts(tensors: TensorMap) -> ParameterCounts:
    """How many weights there are, in all, shared and per expert, as the converter counts them for the size label."""
    total = shared = expert = expert_sum = n_expert_tensors = 0
    for tensor in tensors.tensors:
        total += tensor.n_params
        if "_exps." in tensor.name and len(tensor.shape) >= 3:
            n_expert = tensor.shape[-2 if ".bias" in tensor.name else -3]
            expert += tensor.n_params // n_expert
            expert_sum += n_expert
            n_expert_tensors += 1
        else:
            shared += tensor.n_params
    return ParameterCounts(total, shared, expert, expert_sum // n_expert_tensors if n_expert_tensors else 0)


def model_facts(arch: Arch, tensors: TensorMap) -> ModelFacts:
    """What the recipe's rules ask about the model."""
    keys = {"general.architecture": text(arch.name), **dict(arch.metadata)}
    return facts_of(keys, [tensor.name for tensor in tensors.tensors])


def facts_of(metadata: Metadata, names: Iterable[str]) -> ModelFacts:
    """What the recipe's rules ask, from a model's keys and the names of its tensors."""
    arch = str(metadata["general.architecture"].data)

    def number(name: str) -> int:
        value = metadata.get(f"{arch}.{name}")
        data = value.data if value else 0
        # a key with one number per layer counts by its first
        return int(data[0] if isinstance(data, tuple) else data)

    n_layer, n_expert = number("block_count"), number("expert_count")
    n_head, n_head_kv = number("attention.head_count"), number("attention.head_count_kv")
    return ModelFacts(
        arch=arch,
        n_layer=n_layer,
        n_expert=n_expert,
        n_gqa=n_head // n_head_kv if n_head_kv else 0,
        is_70b=n_layer == LAYERS_OF_70B.get(arch) and (arch != "llama" or (n_head != n_head_kv and n_expert != 8)),
        tied="output.weight" not in names,
    )


def decide(
    arch: Arch, tensors: TensorMap, preset: Preset, layout: str = "auto", via: Preset = BY_NAME["F32"]
) -> list[tuple[Derived, Decision, QType, int]]:
    """Each tensor in file order with its decision, the type whose rounding it takes on the way, and its bytes."""
    if resolved_layout(layout, preset) == "convert":
        decided = [(tensor, converter_type(tensor.name, tensor.shape, preset), F32) for tensor in tensors.tensors]
    else:
        by_name = {tensor.name: tensor for tensor in tensors.tensors}
        before = {name: converter_type(name, tensor.shape, via).qtype for name, tensor in by_name.items()}
        listed = [(name, tensor.shape, before[name]) for name, tensor in by_name.items()]
        chosen = choose_types(listed, preset, model_facts(arch, tensors))
        decided = [(by_name[name], choice, before[name]) for name, choice in chosen.items()]
    return [
        (tensor, choice, before, tensor.n_params // choice.qtype.block * choice.qtype.block_bytes)
        for tensor, choice, before in decided
    ]


def _output(
    keys: Metadata, tensors: TensorMap, arch: Arch, preset: Preset, layout: str, via: Preset, path: Path
) -> OutputPlan:
    layout = resolved_layout(layout, preset)
    quantizer = layout == "quantize"
    metadata = {**keys, FILE_TYPE: u32(preset.ftype)}
    if quantizer:
        # llama-quantize sets these two again, which moves them to the end
        for key in (QUANTIZATION_VERSION, FILE_TYPE):
            metadata[key] = metadata.pop(key)
    decided = decide(arch, tensors, preset, layout, via)
    placed: list[PlannedTensor] = []
    for (tensor, choice, before, nbytes), offset in zip(decided, data_offsets(row[-1] for row in decided), strict=True):
        shape = stripped(tensor.shape) if quantizer else tensor.shape
        placed.append(PlannedTensor(tensor, shape, choice.qtype, before, offset, nbytes, choice.rule, choice.fallback))
    infos = [TensorInfo(tensor.name, tensor.shape, tensor.qtype, tensor.offset) for tensor in placed]
    header = encode_header(metadata, infos)
    return OutputPlan(path, preset, layout, via if quantizer else None, metadata, tuple(placed), header)


def _notes(arch: Arch, tensors: TensorMap, vocab: Vocab) -> tuple[str, ...]:
    notes = list(vocab.notes)
    if all(tensor.name != "output.weight" for tensor in tensors.tensors):
        notes.append("no output matrix of its own: llama.cpp uses token_embd.weight for both ends")
    if tensors.dropped:
        notes.append(f"{len(tensors.dropped)} tensors are left out: {tensors.dropped[0][1]}")
    return tuple(notes)
