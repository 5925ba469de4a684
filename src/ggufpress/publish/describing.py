"""GGUF files as a card describes them: what their headers say, their hashes, and errors that were measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ggufpress.chat.format import ChatFormat, chat_format
from ggufpress.chat.ollama import stop_words
from ggufpress.chat.render import Conversation, render
from ggufpress.errors import GgufError, UsageError
from ggufpress.execute.manifest import manifest_path
from ggufpress.files import file_sha256
from ggufpress.gguf.shards import GgufSet, read_gguf_set
from ggufpress.gguf.values import Metadata
from ggufpress.publish.facts import Made, Part, Prompt, PublishedFile, Source
from ggufpress.publish.names import repository_path, type_label
from ggufpress.recipe.presets import ALL

MAX_MANIFEST = 64 << 20
PIPELINES = (
    "text-generation", "image-text-to-text", "any-to-any", "feature-extraction", "sentence-similarity", "fill-mask",
    "text-classification", "text-ranking", "text2text-generation", "translation", "summarization",
)  # fmt: skip
"""Pipeline tags of models that a GGUF file can hold. Source: huggingface.co/tasks."""

_BY_FTYPE = {preset.ftype: preset.name for preset in ALL}
_SAMPLING = {
    "general.sampling.temp": "temperature", "general.sampling.top_k": "top_k", "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p", "general.sampling.penalty_repeat": "repeat_penalty",
}  # fmt: skip


@dataclass(frozen=True)
class LocalModel:
    """A model on this disk: its `files` (one, or all shards) and where each of them goes in the repository."""

    type: str
    stored: GgufSet
    paths: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, or all shards."""
        return tuple(file.path for file in self.stored.files)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(file.file_size for file in self.stored.files)


@dataclass(frozen=True)
class Chat:
    """What a model's chat template says: the format where one was found, words that end an answer, how to sample."""

    prompt: Prompt
    format: ChatFormat | None
    stop: tuple[str, ...]
    sampling: Mapping[str, float]


def local_models(paths: Sequence[Path]) -> tuple[LocalModel, ...]:
    """The models that `paths` name, each once; any shard stands for its set. Reads headers alone.

    Raises GgufError where a file is none or a shard is missing, UsageError where two would get one name.
    """
    models: dict[Path, LocalModel] = {}
    for path in paths:
        stored = read_gguf_set(path)
        type_name = file_type(stored)
        placed = tuple(repository_path(file.path.name, type_name) for file in stored.files)
        models.setdefault(stored.path.resolve(), LocalModel(type_name, stored, placed))
    owner: dict[str, Path] = {}
    for model in models.values():
        for place, file in zip(model.paths, model.files, strict=True):
            if place in owner:
                raise UsageError(
                    f"{owner[place]} and {file} would both be {place} in the repository", hint="rename one"
                )
            owner[place] = file
    return tuple(models.values())


def file_type(stored: GgufSet) -> str:
    """The type of a model: what its name says where that is a preset's, else what its header says, else the commonest."""
    label = type_label(stored.path.name)
    if label in _BY_FTYPE.values():
        return str(label)
    stated = stored.metadata.get("general.file_type")
    if stated and isinstance(stated.data, int) and stated.data in _BY_FTYPE:
        return _BY_FTYPE[stated.data]
    sizes: dict[str, int] = {}
    for tensor in stored.tensors:
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.nbytes
    return max(sizes, key=lambda name: sizes[name]) if sizes else "F32"


def published(model: LocalModel, made: Made | None, digests: Sequence[str]) -> PublishedFile:
    """The model for the card; `digests` are the sha256 of its files."""
    parts = tuple(
        Part(path, file.file_size, digest)
        for path, file, digest in zip(model.paths, model.stored.files, digests, strict=True)
    )
    n_params = sum(_count(tensor.shape) for tensor in model.stored.tensors)
    data = sum(tensor.nbytes for tensor in model.stored.tensors)
    return PublishedFile(
        model.type, parts, 8 * data / n_params if n_params else None, n_params, _measured(model, digests), None, made
    )


def sha256_of(path: Path) -> str:
    """The sha256 of a file. Raises GgufError where it cannot be read."""
    return file_sha256(path, GgufError)


def _measured(model: LocalModel, digests: Sequence[str]) -> float | None:
    """The error of all weights together, from the manifest beside the file, where that is of this very file."""
    path = manifest_path(model.files[0])
    whole = manifest_path(model.stored.path.with_name(f"{model.stored.name}.gguf"))
    path = path if path.is_file() else whole
    try:
        if path.stat().st_size > MAX_MANIFEST:
            return None
        output = json.loads(path.read_bytes())["output"]
        if [file["sha256"] for file in output["files"]] != list(digests):
            return None
        counts = {tensor.name: _count(tensor.shape) for tensor in model.stored.tensors}
        errors = [
            (counts[tensor["name"]], tensor["rmse"]) for tensor in output["tensors"] if tensor["rmse"] is not None
        ]
        return overall_rmse(errors)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def overall_rmse(errors: Sequence[tuple[int, float]]) -> float | None:
    """The root mean square over all weights, from (number of weights, rmse) of each tensor."""
    total = sum(count for count, _ in errors)
    found = sqrt(sum(count * rmse * rmse for count, rmse in errors) / total) if total else None
    return found if found is not None and isfinite(found) else None


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def source_facts(metadata: Metadata, fallback: str, *, repo: str | None = None, revision: str | None = None) -> Source:
    """Where the model comes from, as its keys and the caller tell. `fallback` is its name where no key has one."""
    tags = _texts(metadata, "general.tags")
    stated = next((tag for tag in tags if tag in PIPELINES), None)
    arch = _text(metadata, "general.architecture") or ""
    embeds = any(key.endswith(".pooling_type") for key in metadata)
    return Source(
        name=_text(metadata, "general.name") or fallback,
        repo=repo or _repo_of(metadata),
        revision=revision,
        license=_text(metadata, "general.license"),
        license_name=_text(metadata, "general.license.name"),
        license_link=_text(metadata, "general.license.link"),
        languages=_texts(metadata, "general.languages"),
        tags=tags,
        pipeline_tag=stated or ("feature-extraction" if embeds else "text-generation" if arch != "t5encoder" else None),
    )


def _repo_of(metadata: Metadata) -> str | None:
    """The Hub's repository that the keys name as the model's own; base models of the base are somebody else."""
    for key in ("general.source.repo_url", "general.source.url"):
        parts = urlsplit(_text(metadata, key) or "")
        names = [part for part in parts.path.split("/") if part]
        if parts.netloc in ("huggingface.co", "hf.co") and len(names) == 2:
            return "/".join(names)
    return None


def context_length(metadata: Metadata) -> int | None:
    """How many tokens the model was trained for."""
    value = metadata.get(f"{_text(metadata, 'general.architecture')}.context_length")
    return value.data if value and isinstance(value.data, int) else None


def chat_facts(metadata: Metadata) -> Chat:
    """What the chat template of a model says; all of it is untrusted."""
    template = _text(metadata, "tokenizer.chat_template")
    tokens = metadata.get("tokenizer.ggml.tokens")
    bos, eos, eot = (
        _token(metadata, tokens and tokens.data, f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "eot")
    )
    sampling = {name: _number(metadata, key) for key, name in _SAMPLING.items()}
    known = {name: value for name, value in sampling.items() if value is not None}
    if not template:
        return Chat(Prompt(), None, (), known)
    found = chat_format(template, bos=bos, eos=eos, adds_bos=_adds_bos(metadata))
    asked = (("system", "{system_prompt}"), ("user", "{prompt}"))
    if found:
        example: str | None = found.text(asked if found.has_system else asked[1:])
    else:
        tries = render(template, [Conversation(asked), Conversation(asked[1:])], bos=bos, eos=eos)
        example = next((text for text in tries if text and "{prompt}" in text), None)
    stop = stop_words(found, (eos, eot)) if found else ()
    return Chat(Prompt(True, found.name if found else None, example), found, stop, known)


def _adds_bos(metadata: Metadata) -> bool:
    stated = metadata.get("tokenizer.ggml.add_bos_token")
    if stated is not None:
        return bool(stated.data)
    # Source: TREE src/llama-vocab.cpp, the defaults of each kind of vocabulary
    kind, pre = _text(metadata, "tokenizer.ggml.model"), _text(metadata, "tokenizer.ggml.pre")
    return kind == "llama" or pre in (
        "llama3",
        "llama-v3",
        "llama-bpe",
        "falcon3",
        "falcon-h1",
        "pixtral",
        "midm-2.0",
        "lfm2",
    )


def _token(metadata: Metadata, tokens: Any, key: str) -> str:
    number = metadata.get(key)
    if number is None or not isinstance(number.data, int) or not isinstance(tokens, tuple):
        return ""
    return _decoded(tokens[number.data]) if 0 <= number.data < len(tokens) else ""


def _text(metadata: Metadata, key: str) -> str | None:
    value = metadata.get(key)
    return _decoded(value.data) if value is not None and isinstance(value.data, str | bytes) else None


def _texts(metadata: Metadata, key: str) -> tuple[str, ...]:
    value = metadata.get(key)
    items = value.data if value is not None and isinstance(value.data, tuple) else ()
    return tuple(_decoded(item) for item in items if isinstance(item, str | bytes))


def _number(metadata: Metadata, key: str) -> float | None:
    value = metadata.get(key)
    found = value.data if value is not None and isinstance(value.data, int | float) else None
    return found if found is not None and isfinite(found) else None


def _decoded(text: Any) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
