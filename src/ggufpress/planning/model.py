"""What a source holds, in the words of GGUF: keys and tensors, before any type is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ggufpress.arch.registry import describe
from ggufpress.arch.spec import Arch
from ggufpress.gguf.values import Metadata, text, u32
from ggufpress.mapping import Derived, TensorMap, map_tensors
from ggufpress.metadata.general import general_metadata
from ggufpress.metadata.size_label import ParameterCounts
from ggufpress.mixture import ModelFacts
from ggufpress.planning.facts import facts_of
from ggufpress.presets import BY_NAME, Preset
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab import Vocab, read_vocab

QUANTIZATION_VERSION = "general.quantization_version"


@dataclass(frozen=True)
class Model:
    """A model that can be written as GGUF files.

    `root` is the source's path, `name` what output files are called after, `hf_class` its class in config.json.
    `metadata` holds all keys in the converter's order; the value of `general.file_type` belongs to an output and is set
    there. `tensors` are in the order in which the converter writes them, `dropped` those left out on purpose, as (name,
    reason). `own_type` is the precision that the source itself has.
    """

    root: Path
    name: str
    hf_class: str
    metadata: Metadata
    tensors: tuple[Derived, ...]
    dropped: tuple[tuple[str, str], ...]
    own_type: Preset
    vocab: Vocab
    notes: tuple[str, ...]

    @property
    def arch(self) -> str:
        """llama.cpp's name of the architecture."""
        return str(self.metadata["general.architecture"].data)

    @cached_property
    def facts(self) -> ModelFacts:
        """What the recipe's rules ask."""
        return facts_of(self.metadata, [tensor.name for tensor in self.tensors])

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
    kind = _vocab_kind(checkpoint, arch)
    vocab = read_vocab(checkpoint, kind, arch.n_vocab, n_token_types=arch.n_token_types, pre=pre)
    keys: Metadata = {"general.architecture": text(arch.name)}
    keys.update(general_metadata(checkpoint, parameter_counts(tensors.tensors)))
    keys.update(arch.metadata)
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
        own_type=detected_preset(checkpoint),
        vocab=vocab,
        notes=_notes(tensors, vocab),
    )


def detected_preset(checkpoint: Checkpoint) -> Preset:
    """What the converter's `--outtype auto` chooses: by the first half-precision matrix, F16 where there is none."""
    for ref in checkpoint.tensors.values():
        if len(ref.shape) >= 2 and ref.dtype in ("F16", "BF16"):
            return BY_NAME[ref.dtype]
    return BY_NAME["F16"]


def parameter_counts(tensors: tuple[Derived, ...]) -> ParameterCounts:
    """How many weights there are, in all, shared and per expert, as the converter counts them for the size label."""
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


def _vocab_kind(checkpoint: Checkpoint, arch: Arch) -> str:
    """How the tokenizer is read: `spm-or-bpe` is SentencePiece where there is a tokenizer.model, else byte-level BPE."""
    if arch.vocab != "spm-or-bpe":
        return arch.vocab
    return "spm" if checkpoint.has("tokenizer.model") else "bpe"


def _notes(tensors: TensorMap, vocab: Vocab) -> tuple[str, ...]:
    notes = list(vocab.notes)
    if all(tensor.name != "output.weight" for tensor in tensors.tensors):
        notes.append("no output matrix of its own: llama.cpp uses token_embd.weight for both ends")
    if tensors.dropped:
        notes.append(f"{len(tensors.dropped)} tensors are left out: {tensors.dropped[0][1]}")
    return tuple(notes)
