"""The `general.*` keys: where a model comes from, as far as its card, its config and its name tell.

Source: gguf-py/gguf/metadata.py (Metadata.load, apply_metadata_heuristic, set_gguf_meta_model); key names
gguf-py/gguf/constants.py, Keys.General.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from ggufpress.errors import CheckpointError, ConfigError
from ggufpress.gguf.values import Metadata, Value, ValueType, array, f32, text, u32
from ggufpress.metadata.model_card import CARD, read_model_card
from ggufpress.metadata.model_name import NameParts, split_model_id, title
from ggufpress.metadata.size_label import ParameterCounts, size_label
from ggufpress.source.checkpoint import Checkpoint

_CARD_KEYS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "model_name"),
    "author": ("author", "model_author", "model_creator"),
    "version": ("version", "model_version"),
    "organization": ("organization", "model_organization"),
    "finetune": ("finetune", "model_finetune"),
    "basename": ("basename", "model_basename", "model_type"),
    "description": ("description", "model_description"),
    "size_label": ("size_label", "model_size_label"),
    "license": ("license",),
    "license.name": ("license_name",),
    "license.link": ("license_link",),
    "source.url": ("url", "model_url"),
    "source.doi": ("doi", "model_doi"),
    "source.uuid": ("uuid", "model_uuid"),
    "source.repo_url": ("repo_url", "model_repo_url"),
}
"""Per key under `general.` the keys of a card that may give it, the first that is there and not null; in file order."""

_SAMPLING: Mapping[str, tuple[ValueType, tuple[str, ...]]] = {
    "sequence": (ValueType.STRING, ("sequence",)),
    "top_k": (ValueType.INT32, ("top_k",)),
    "top_p": (ValueType.FLOAT32, ("top_p",)),
    "min_p": (ValueType.FLOAT32, ("min_p",)),
    "xtc_probability": (ValueType.FLOAT32, ("xtc_probability",)),
    "xtc_threshold": (ValueType.FLOAT32, ("xtc_threshold",)),
    "temp": (ValueType.FLOAT32, ("temperature",)),
    "penalty_last_n": (ValueType.INT32, ("penalty_last_n",)),
    "penalty_repeat": (ValueType.FLOAT32, ("penalty_repeat", "repetition_penalty")),
    "mirostat": (ValueType.INT32, ("mirostat",)),
    "mirostat_tau": (ValueType.FLOAT32, ("mirostat_tau",)),
    "mirostat_eta": (ValueType.FLOAT32, ("mirostat_eta",)),
}
"""Per key under `general.sampling.` its type and the keys of generation_config.json, the first that is there."""

_ANCESTORS: Mapping[str, tuple[str, ...]] = {
    "base_model": ("base_model", "base_models", "base_model_sources"),
    "dataset": ("datasets", "dataset", "dataset_sources"),
}

_ANCESTOR_FIELDS = ("name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url")

_LISTS: Mapping[str, tuple[str, ...]] = {"tags": ("tags", "pipeline_tag"), "languages": ("languages", "language")}

_HUB_URL = re.compile(r"https?://huggingface\.co/([^/]+/[^/]+)$")


def general_metadata(checkpoint: Checkpoint, counts: ParameterCounts) -> list[tuple[str, Value]]:
    """The keys from `general.type` to those of the architecture (not included), in the converter's order.

    The card's front matter wins over config.json's `_name_or_path`, and that over the folder's name. Empty strings,
    lists and nulls are left out; an unreadable generation_config.json counts as none.
    Raises CheckpointError or ConfigError where a value has a type that the reference cannot write either: a number or
    an object for a text, a list of mixed things for tags. Exactness: keys, order, types and values of the reference.
    """
    card = read_model_card(checkpoint)
    out: Metadata = {"general.type": text("model")}
    out.update(_sampling(checkpoint))
    where = str(checkpoint.root / CARD)
    stated = {key: _first_set(card, names) for key, names in _CARD_KEYS.items()}
    for parts in _names(checkpoint, counts.total):
        _fill(stated, parts)
    if stated["size_label"] is None and counts.total > 0:
        stated["size_label"] = size_label(counts)
    if isinstance(names := stated["license"], list):
        stated["license"] = ",".join(_text(name, f"{where}: license") for name in names)
    for key, value in stated.items():
        _set_text(out, f"general.{key}", value, f"{where}: {_CARD_KEYS[key][0]}")
    for kind, keys in _ANCESTORS.items():
        if any(key in card for key in keys):
            _set_ancestors(out, kind, next(card[key] for key in keys if key in card), counts.total, where)
    for kind, keys in _LISTS.items():
        if items := [item for key in keys for item in _listed(card.get(key))]:
            out[f"general.{kind}"] = _array(items, f"{where}: {keys[0]}")
    return list(out.items())


def _first_set(card: Mapping[Any, Any], keys: Sequence[str]) -> Any:
    return next((card[key] for key in keys if card.get(key) is not None), None)


def _names(checkpoint: Checkpoint, n_params: int) -> list[NameParts]:
    """What the config's own name says where it is no path on somebody's disk, then what the folder's name says."""
    stated = checkpoint.config.get("_name_or_path")
    if stated is not None and not isinstance(stated, str):
        raise ConfigError(f"{checkpoint.root / 'config.json'}: _name_or_path must be a string")
    ids = [stated] if stated is not None and stated.count("/") <= 1 else []
    return [split_model_id(model_id, n_params) for model_id in (*ids, checkpoint.name)]


def _fill(stated: dict[str, Any], parts: NameParts) -> None:
    """Let `parts` give what nothing before them gave."""
    found = {
        "name": title(parts.full),
        "organization": None if parts.organization is None else title(parts.organization),
        "basename": parts.basename,
        "finetune": parts.finetune,
        "version": parts.version,
        "size_label": parts.size_label,
    }
    for key, value in found.items():
        if stated[key] is None:
            stated[key] = value


def _sampling(checkpoint: Checkpoint) -> Metadata:
    name = "generation_config.json"
    where = checkpoint.root / name
    if not checkpoint.has(name):
        return {}
    try:
        config = checkpoint.read_json(name)
    except CheckpointError:
        return {}
    if not config:
        return {}
    if not isinstance(config, dict):
        raise CheckpointError(f"{where} must be an object")
    out: Metadata = {}
    for key, (value_type, names) in _SAMPLING.items():
        value = next((config[stated] for stated in names if stated in config), None)
        if value is None:
            continue
        if value_type is ValueType.STRING:
            _set_text(out, f"general.sampling.{key}", value, f"{where}: {names[0]}")
        else:
            out[f"general.sampling.{key}"] = _number(value, value_type, f"{where}: {names[-1]}")
    return out


def _number(value: Any, value_type: ValueType, where: str) -> Value:
    try:
        if value_type is ValueType.INT32:
            struct.pack("<i", value)
            return Value(value_type, int(value))
        struct.pack("<f", value)
        return f32(float(value))
    except (struct.error, OverflowError):
        kind = "a whole number of 32 bits" if value_type is ValueType.INT32 else "a number that float32 can hold"
        raise CheckpointError(f"{where} is {_shown(value)}, but must be {kind}") from None


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        hint = None if isinstance(value, dict | list) else "write it in quotes"
        raise CheckpointError(f"{where} is {_shown(value)}, but must be text", hint=hint)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise CheckpointError(f"{where} holds half of a surrogate pair, which is no text") from None
    return value


def _shown(value: Any) -> str:
    """A few words for `value`, which may be a structure that is endless when written out."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "a mapping"
    try:
        shown = str(value)
    except ValueError:
        return "a number of thousands of digits"
    return shown if len(shown) <= 40 else f"{shown[:37]}..."


def _set_text(out: Metadata, key: str, value: Any, where: str) -> None:
    if value:
        out[key] = text(value if isinstance(value, bytes) else _text(value, where))


def _set_ancestors(out: Metadata, kind: str, stated: Any, n_params: int, where: str) -> None:
    """Set the count and the known fields of base models or datasets; an entry of an odd type counts, without fields."""
    entries = _listed(stated)
    out[f"general.{kind}.count"] = u32(len(entries))
    for i, entry in enumerate(entries):
        fields = _ancestor(entry, n_params) if isinstance(entry, str) else entry
        if isinstance(fields, dict):
            for name in _ANCESTOR_FIELDS:
                _set_text(out, f"general.{kind}.{i}.{name}", fields.get(name), f"{where}: {kind}: {name}")


def _ancestor(model_id: str, n_params: int) -> dict[str, str | None]:
    is_url = model_id.startswith(("http://", "https://", "ssh://"))
    on_hub = _HUB_URL.match(model_id) if is_url else None
    if is_url and not on_hub:
        return {"repo_url": model_id}
    parts = split_model_id(on_hub.group(1) if on_hub else model_id, n_params)
    organization = parts.organization
    url = f"https://huggingface.co/{organization}/{parts.full}" if organization is not None else None
    return {
        "name": title(parts.full),
        "organization": None if organization is None else title(organization),
        "version": parts.version,
        "repo_url": model_id if is_url else url,
    }


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []


_ITEM_TYPES = {str: ValueType.STRING, float: ValueType.FLOAT32, bool: ValueType.BOOL, int: ValueType.INT32}


def _array(items: Sequence[Any], where: str) -> Value:
    item_type = _ITEM_TYPES.get(type(items[0]))
    if item_type is None or any(type(item) is not type(items[0]) for item in items):
        raise CheckpointError(f"{where} must be a list of texts", hint="write numbers and dates in quotes")
    if item_type is ValueType.STRING:
        return array(item_type, [_text(item, where) for item in items])
    if item_type is ValueType.BOOL:
        return array(item_type, items)
    return array(item_type, [_plain(_number(item, item_type, where)) for item in items])


def _plain(value: Value) -> Any:
    return value.data
