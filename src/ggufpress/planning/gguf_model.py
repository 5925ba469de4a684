"""A GGUF file as a source: the model that llama-quantize sees in it.

Source: TREE src/llama-quant.cpp, src/llama-model-loader.cpp (the guess of a file's type).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ggufpress.arch.decoder import FILE_TYPE
from ggufpress.errors import GgufError
from ggufpress.gguf.carried import carried_metadata, carried_shape
from ggufpress.gguf.shards import MAX_ALIGNMENT, GgufSet, qtype_of
from ggufpress.gguf.values import Metadata, ValueType
from ggufpress.mapping import Derived
from ggufpress.planning.model import Model
from ggufpress.quant.types import F32, QType
from ggufpress.recipe import quantizer_order
from ggufpress.recipe.presets import ALIASES, ALL, COPY
from ggufpress.vocab import Vocab

TYPE_NAMES = frozenset((COPY.name, *(preset.name for preset in ALL), *ALIASES))
ARCHITECTURE = "general.architecture"
COUNTS = ("block_count", "expert_count", "attention.head_count", "attention.head_count_kv")
"""Keys of the architecture on which types depend."""
FTYPES = {
    "F32": 0, "F16": 1, "BF16": 32, "Q4_0": 2, "Q4_1": 3, "Q5_0": 8, "Q5_1": 9, "Q8_0": 7, "Q2_K": 10, "Q3_K": 12,
    "Q4_K": 15, "Q5_K": 17, "Q6_K": 18, "TQ1_0": 36, "TQ2_0": 37, "IQ2_XXS": 19, "IQ2_XS": 20, "IQ2_S": 28,
    "IQ3_XXS": 23, "IQ1_S": 24, "IQ1_M": 31, "IQ4_NL": 25, "IQ4_XS": 30, "IQ3_S": 26, "NVFP4": 39, "Q1_0": 40, "Q2_0": 41,
}  # fmt: skip
"""The `general.file_type` that llama.cpp guesses by the type of most tensors; 0 for others."""
GUESSED = 1024


def gguf_model(source: GgufSet) -> Model:
    """The model in a GGUF file or a set of shards. Raises GgufError where a key that is needed is missing or no number."""
    metadata = carried_metadata(source.metadata)
    _check_keys(source, metadata)
    tokens = metadata.get("tokenizer.ggml.tokens")
    kind = metadata.get("tokenizer.ggml.model")
    n_tokens = len(tokens.data) if tokens and isinstance(tokens.data, tuple) else 0
    return Model(
        root=source.path,
        name=model_name(source.name),
        hf_class=None,
        metadata=metadata,
        tensors=gguf_tensors(source),
        dropped=(),
        own_type=COPY,
        vocab=Vocab(str(kind.data) if kind else "none", (), n_tokens),
        notes=(),
        stored=source,
        file_type=stored_file_type(source),
    )


def model_name(name: str) -> str:
    """What a model is called where a file of it is called `name`: without the type that stands at the end.

    Example: `model_name("tiny-F16") == "tiny"`
    """
    stem, dash, last = name.rpartition("-")
    return stem if dash and stem and last.upper() in TYPE_NAMES else name


def gguf_tensors(source: GgufSet) -> tuple[Derived, ...]:
    """The tensors in file order, as they are. Raises GgufError for one without weights."""
    for ref in source.tensors:
        if 0 in ref.shape:
            raise GgufError(f"{ref.file}: tensor {ref.name!r} is empty: its shape is {list(ref.shape)}")
    return tuple(Derived(ref.name, carried_shape(ref.shape), (ref,)) for ref in source.tensors)


def stored_file_type(source: GgufSet) -> int:
    """The number of the file's type, as llama.cpp finds it: what the file says, else a guess that is marked as one."""
    said = source.metadata.get(FILE_TYPE)
    if said is not None:
        if said.type is not ValueType.UINT32 or not isinstance(said.data, int):
            raise GgufError(f"{source.path}: {FILE_TYPE} is {said.type.name}, not UINT32")
        return said.data
    return guessed_file_type({ref.name: qtype_of(ref) for ref in source.tensors})


def guessed_file_type(types: Mapping[str, QType]) -> int:
    """What llama.cpp takes a file's type for that does not say it, by the types of its tensors: marked as a guess."""
    seen: Counter[QType] = Counter()
    most, highest = F32, 0
    for name in quantizer_order(types):
        seen[types[name]] += 1
        # the first type to reach a number keeps the place
        if seen[types[name]] > highest:
            most, highest = types[name], seen[types[name]]
    return FTYPES.get(most.name, 0) | GUESSED


def _check_keys(source: GgufSet, metadata: Metadata) -> None:
    name = metadata.get(ARCHITECTURE)
    if name is None or not isinstance(name.data, str) or not name.data:
        raise GgufError(f"{source.path}: {ARCHITECTURE} is missing or no text: what model is this?")
    for key in COUNTS:
        value = metadata.get(f"{name.data}.{key}")
        if value is None:
            continue
        numbers = value.data if isinstance(value.data, tuple) else (value.data,)
        if not numbers or not all(type(number) is int and number >= 0 for number in numbers):
            raise GgufError(f"{source.path}: {name.data}.{key} is no count")
    if source.alignment > MAX_ALIGNMENT:
        raise GgufError(f"{source.path}: general.alignment is {source.alignment:,}, more than {MAX_ALIGNMENT:,} bytes")
    if not source.tensors:
        raise GgufError(f"{source.path} holds no tensors")
