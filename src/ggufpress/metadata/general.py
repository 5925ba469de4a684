"""The `general.*` keys, from the model card, config.json, generation_config.json and the folder's name.

Exact: the keys, order and values of llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/metadata.py. Where the reference
stops at a value of an odd type, a number becomes its text and a list or mapping is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ggufpress.errors import CheckpointError, ConfigError
from ggufpress.gguf.values import Value, ValueType, array, text, u32
from ggufpress.metadata.model_card import read_card
from ggufpress.metadata.model_name import ModelName, parse_model_id, size_label, title
from ggufpress.source.checkpoint import Checkpoint

Keys = list[tuple[str, Value]]

GENERATION = "generation_config.json"
# key after general.sampling., keys of generation_config.json (the first present counts), type
SAMPLING: tuple[tuple[str, tuple[str, ...], ValueType], ...] = (
    ("sequence", ("sequence",), ValueType.STRING),
    ("top_k", ("top_k",), ValueType.INT32),
    ("top_p", ("top_p",), ValueType.FLOAT32),
    ("min_p", ("min_p",), ValueType.FLOAT32),
    ("xtc_probability", ("xtc_probability",), ValueType.FLOAT32),
    ("xtc_threshold", ("xtc_threshold",), ValueType.FLOAT32),
    ("temp", ("temperature",), ValueType.FLOAT32),
    ("penalty_last_n", ("penalty_last_n",), ValueType.INT32),
    ("penalty_repeat", ("penalty_repeat", "repetition_penalty"), ValueType.FLOAT32),
    ("mirostat", ("mirostat",), ValueType.INT32),
    ("mirostat_tau", ("mirostat_tau",), ValueType.FLOAT32),
    ("mirostat_eta", ("mirostat_eta",), ValueType.FLOAT32),
)
# key after general., keys of the card in order of preference
AUTHORSHIP: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("name", ("name", "model_name")),
    ("author", ("author", "model_author", "model_creator")),
    ("version", ("version", "model_version")),
    ("organization", ("organization", "model_organization")),
    ("finetune", ("finetune", "model_finetune")),
    ("basename", ("basename", "model_basename", "model_type")),
    ("description", ("description", "model_description")),
    ("size_label", ("size_label", "model_size_label")),
    ("license", ("license",)),
    ("license.name", ("license_name",)),
    ("license.link", ("license_link",)),
    ("source.url", ("url", "model_url")),
    ("source.doi", ("doi", "model_doi")),
    ("source.uuid", ("uuid", "model_uuid")),
    ("source.repo_url", ("repo_url", "model_repo_url")),
)
FROM_NAMES = ("organization", "basename", "finetune", "version", "size_label")
PARENTS = (
    ("base_model", ("base_model", "base_models", "base_model_sources")),
    ("dataset", ("datasets", "dataset", "dataset_sources")),
)
LISTS = (("tags", ("tags", "pipeline_tag")), ("languages", ("languages", "language")))
PARENT_FIELDS = ("name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url")
HUB_URL = re.compile(r"https?://huggingface.co/([^/]+/[^/]+)$")


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """Numbers of weights: in all, outside experts, in one expert of each stack, and the number of experts."""

    total: int
    shared: int
    expert: int
    n_expert: int


def general_metadata(checkpoint: Checkpoint, counts: ParameterCounts) -> Keys:
    """The keys from `general.type` to the last before the architecture's own.

    Raises CheckpointError for front matter that is not YAML, ConfigError for sampling values that are no numbers.
    """
    card = read_card(checkpoint)
    keys = [("general.type", text("model")), *_sampling(checkpoint)]
    found = _authorship(checkpoint, card, counts)
    keys += [(f"general.{name}", text(found[name])) for name, _ in AUTHORSHIP if found.get(name)]
    for kind, aliases in PARENTS:
        if any(alias in card for alias in aliases):
            keys += _parents(kind, next(card[alias] for alias in aliases if alias in card), counts.total)
    for name, list_aliases in LISTS:
        items = [item for alias in list_aliases for item in _listed(card.get(alias))]
        if items:
            keys.append((f"general.{name}", array(ValueType.STRING, (str(item) for item in items))))
    return keys


def _sampling(checkpoint: Checkpoint) -> Keys:
    if not checkpoint.has(GENERATION):
        return []
    try:
        config = json.loads(checkpoint.read_text(GENERATION))
    except (ValueError, RecursionError, CheckpointError):
        # not all models have a valid one, and nothing depends on it
        return []
    if not isinstance(config, dict):
        return []
    keys = []
    for name, aliases, kind in SAMPLING:
        value = next((config[alias] for alias in aliases if alias in config), None)
        if value is None or value == "":
            continue
        if not _fits(value, kind):
            raise ConfigError(f"{checkpoint.root / GENERATION}: {aliases[-1]} is {value!r:.60}, "
                              f"{'a string' if kind is ValueType.STRING else 'a number'} was expected")  # fmt: skip
        keys.append((f"general.sampling.{name}", Value(kind, value)))
    return keys


def _fits(value: Any, kind: ValueType) -> bool:
    if kind is ValueType.STRING:
        return isinstance(value, str)
    if kind is ValueType.INT32:
        return isinstance(value, int) and -(1 << 31) <= value < 1 << 31
    return isinstance(value, int | float) and abs(value) < 3.4e38


def _authorship(checkpoint: Checkpoint, card: Mapping[str, Any], counts: ParameterCounts) -> dict[str, str]:
    """What the card says, completed by `_name_or_path` of the config and by the folder's name."""
    found: dict[str, str] = {}
    for name, aliases in AUTHORSHIP:
        value = next((card[alias] for alias in aliases if card.get(alias) is not None), None)
        if name == "license" and isinstance(value, list):
            value = ",".join(str(item) for item in value)
        if value is not None and not isinstance(value, list | dict):
            found[name] = str(value)
    for model_id in (checkpoint.config.get("_name_or_path"), checkpoint.name):
        # a path of the machine that saved the model is no name
        if isinstance(model_id, str) and model_id.count("/") <= 1:
            parts = parse_model_id(model_id, counts.total)
            if parts.full is not None:
                found.setdefault("name", title(parts.full))
            for name in FROM_NAMES:
                if (value := getattr(parts, name)) is not None:
                    found.setdefault(name, title(value) if name == "organization" else value)
    if "size_label" not in found and counts.total > 0:
        found["size_label"] = size_label(counts.total, counts.shared, counts.expert, counts.n_expert)
    return found


def _parents(kind: str, value: Any, n_params: int) -> Keys:
    """The keys of what a model was made from: base models or datasets, given as ids, addresses or mappings."""
    entries = [_parent(item, n_params) for item in _listed(value)]
    keys: Keys = [(f"general.{kind}.count", u32(len(entries)))]
    for number, entry in enumerate(entries):
        fields = ((field, entry.get(field)) for field in PARENT_FIELDS)
        keys += [
            (f"general.{kind}.{number}.{field}", text(str(value)))
            for field, value in fields
            if value and not isinstance(value, list | dict)
        ]
    return keys


def _parent(item: Any, n_params: int) -> Mapping[str, Any]:
    if isinstance(item, dict):
        return item
    if not isinstance(item, str):
        return {}
    if item.startswith(("http://", "https://", "ssh://")):
        hub = HUB_URL.match(item) if "huggingface.co" in item else None
        return {"repo_url": item} | (_titled(parse_model_id(hub[1], n_params)) if hub else {})
    parts = parse_model_id(item, n_params)
    repo = f"https://huggingface.co/{parts.organization}/{parts.full}" if parts.organization is not None else None
    return _titled(parts) | {"repo_url": repo}


def _titled(parts: ModelName) -> dict[str, str | None]:
    return {
        "name": title(parts.full) if parts.full else None,
        "organization": title(parts.organization) if parts.organization else None,
        "version": parts.version,
    }


def _listed(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return (value,)
    return value if isinstance(value, list) else ()
