"""What a source holds, in the words of GGUF: keys and tensors, before any type is chosen."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ggufpress.arch.registry import describe
from ggufpress.errors import UsageError
from ggufpress.gguf.header import ALIGNMENT
from ggufpress.gguf.shards import GgufSet
from ggufpress.gguf.values import Metadata, Value, ValueType, text, u32
from ggufpress.mapping import Derived, TensorMap, map_tensors
from ggufpress.metadata.general import general_metadata
from ggufpress.metadata.size_label import ParameterCounts
from ggufpress.planning.facts import facts_of
from ggufpress.planning.silent_tokens import with_silent_tokens
from ggufpress.quant.types import QType
from ggufpress.recipe import converter_type
from ggufpress.recipe.mixture import ModelFacts
from ggufpress.recipe.presets import BY_NAME, Preset
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.source.remote import SmallFiles
from ggufpress.vocab import Vocab, read_vocab

QUANTIZATION_VERSION = "general.quantization_version"


@dataclass(frozen=True)
class Model:
    """A model that can be written as GGUF files.

    `root` is the source's path, `name` what output files are called after, `hf_class` its class in config.json.
    `metadata` holds all keys in the converter's order; the value of `general.file_type` belongs to an output and is set
    there. `tensors` are in the order in which the converter writes them, `dropped` those left out on purpose, as (name,
    reason). `own_type` is the precision that the source itself has.

    Of a checkpoint `small` are the files beside the weights, and `provenance` says where it comes from, where that is no
    folder. Of a GGUF file `stored` are the files, `hf_class` is None, `tensors` are in file order and have the types they have,
    and `file_type` is the number of the file's type. Where the model was changed, `overrides` are the keys that were
    set, `layers_left` is the number of layers after some were pruned, and `origins` tells by name what a tensor was
    called before.
    """

    root: Path
    name: str
    hf_class: str | None
    metadata: Metadata
    tensors: tuple[Derived, ...]
    dropped: tuple[tuple[str, str], ...]
    own_type: Preset
    vocab: Vocab
    notes: tuple[str, ...]
    stored: GgufSet | None = None
    file_type: int | None = None
    overrides: tuple[tuple[str, Value], ...] = ()
    layers_left: int | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    small: SmallFiles | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def arch(self) -> str:
        """llama.cpp's name of the architecture."""
        return str(self.metadata["general.architecture"].data)

    @cached_property
    def facts(self) -> ModelFacts:
        """What the recipe's rules ask. llama.cpp reads a model's counts through the overrides, and before pruning."""
        read = {
            key: value
            for key, value in self.overrides
            if value.type is (ValueType.STRING if key == "general.architecture" else ValueType.UINT32)
        }
        return facts_of(self.metadata | read, [tensor.name for tensor in self.tensors])

    @property
    def is_changed(self) -> bool:
        """Whether keys were set or layers pruned."""
        return bool(self.overrides) or self.layers_left is not None

    def layout(self, asked: str) -> str:
        """The layout to choose from `asked`: what llama.cpp's converter cannot make is llama-quantize's.

        Raises UsageError where `convert` is asked for all the same.
        """
        if self.stored is None and not self.is_changed:
            return asked
        if asked == "convert":
            why = "this source is a GGUF file" if self.stored else "it neither sets keys nor prunes layers"
            raise UsageError(f"--layout convert is what llama.cpp's converter writes, and {why}", hint="leave it out")
        return "quantize"

    def stored_types(self, via: Preset) -> dict[str, QType]:
        """The type of each tensor in the file that llama-quantize would be given: a GGUF source's own, else `via`'s."""
        if self.stored:
            return {tensor.name: tensor.dtype for tensor in self.tensors}
        return {
            tensor.name: converter_type(tensor.name, tensor.shape, via, tensor.as_f32).qtype for tensor in self.tensors
        }

    @property
    def alignment(self) -> int:
        """The alignment that the keys ask for, in bytes."""
        return self.stored.alignment if self.stored else ALIGNMENT

    @property
    def n_params(self) -> int:
        """Number of weights."""
        return sum(tensor.n_params for tensor in self.tensors)

    @property
    def source_bytes(self) -> int:
        """Bytes of the tensors that are read."""
        return sum(ref.nbytes for tensor in self.tensors for ref in tensor.sources)


def read_model(checkpoint: Checkpoint, *, pre: str | None = None) -> Model:
    """The model in `checkpoint`. Reads the small files, but no weight. `pre` names the pre-tokenizer, None: recognise it.

    Raises CheckpointError, ConfigError, TokenizerError, UnsupportedError or MappingError.
    """
    arch = describe(checkpoint)
    tensors = map_tensors(checkpoint, arch)
    vocab = read_vocab(checkpoint, arch.vocab, arch.n_vocab, n_token_types=arch.n_token_types, pre=pre)
    keys: Metadata = {"general.architecture": text(arch.name), **dict(arch.leading)}
    keys.update(general_metadata(checkpoint, parameter_counts(tensors.tensors)))
    keys.update(with_silent_tokens(checkpoint, arch))
    keys[QUANTIZATION_VERSION] = u32(2)
    keys.update(arch.first_vocab_keys)
    keys.update(vocab.metadata)
    keys.update(arch.vocab_keys)
    return Model(
        root=checkpoint.root,
        name=checkpoint.name,
        hf_class=arch.hf_class,
        metadata=keys,
        tensors=tensors.tensors,
        dropped=tensors.dropped,
        own_type=detected_preset(checkpoint, {name for name, _ in tensors.dropped}),
        vocab=vocab,
        notes=_notes(checkpoint, tensors, vocab),
        small=checkpoint.small,
        provenance=checkpoint.provenance,
    )


def detected_preset(checkpoint: Checkpoint, dropped: Container[str] = ()) -> Preset:
    """What the converter's `--outtype auto` chooses: by the first half-precision matrix, F16 where there is none.

    Matrices that are `dropped` do not count.
    """
    for ref in checkpoint.tensors.values():
        if len(ref.shape) >= 2 and ref.name not in dropped and ref.dtype in ("F16", "BF16"):
            return BY_NAME[ref.dtype]
    return BY_NAME["F16"]


def parameter_counts(tensors: tuple[Derived, ...]) -> ParameterCounts:
    """How many weights there are, in all, shared and per expert, as the converter counts them for the size label.

    With adapters it counts none: it looks for pairs of their matrices, which are not in such an order.
    """
    if any(tensor.name.endswith(".lora_b") for tensor in tensors):
        return ParameterCounts(0, 0, 0, 0)
    total = shared = expert = expert_sum = n_expert_tensors = 0
    for tensor in tensors:
        total += tensor.n_params
        if "_exps." in tensor.name and len(tensor.shape) >= 3:
            n_expert = tensor.shape[-2 if ".bias" in tensor.name else -3]
            expert += tensor.n_params // n_expert
            expert_sum += n_expert
            n_expert_tensors += 1
        else:
            shared += tensor.n_params
    return ParameterCounts(total, shared, expert, expert_sum // n_expert_tensors if n_expert_tensors else 0)


def _notes(checkpoint: Checkpoint, tensors: TensorMap, vocab: Vocab) -> tuple[str, ...]:
    notes = list(vocab.notes)
    if checkpoint.config.get("auto_map"):
        notes.append("config.json names code of its own (auto_map): it is not run, ggufpress has its own description")
    if all(tensor.name != "output.weight" for tensor in tensors.tensors):
        notes.append("no output matrix of its own: llama.cpp uses token_embd.weight for both ends")
    if tensors.dropped:
        notes.append(f"{len(tensors.dropped)} tensors are left out: {tensors.dropped[0][1]}")
    return tuple(notes)
