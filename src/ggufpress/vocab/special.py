"""Special tokens: their ids, whether bos, eos and sep are added, chat templates, merges, normalizer flags.

The facts are spread over tokenizer.json (added tokens, post-processor), tokenizer_config.json and config.json.
Exact: the keys, order and values of llama.cpp of llama-cpp-python 0.3.36, gguf-py/gguf/vocab.py (`SpecialVocab`).
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Value, ValueType, array, flag, text, u32
from ggufpress.vocab.files import TOKENIZER_JSON, TokenizerFiles
from ggufpress.vocab.merges import read_merges
from ggufpress.vocab.post_processor import AddedSpecials, read_post_processor

Keys = list[tuple[str, Value]]

TYPES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
# cls has no key of its own
ID_KEYS = {
    "bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "sep": "seperator_token_id",
    "pad": "padding_token_id", "mask": "mask_token_id", "eot": "eot_token_id", "eom": "eom_token_id",
}  # fmt: skip
ADD_KEYS = ("bos", "eos", "sep")
LETTERS = frozenset(string.ascii_letters + string.digits)


def special_keys(
    files: TokenizerFiles,
    *,
    n_vocab: int | None = None,
    merges: bool = False,
    types: tuple[str, ...] = TYPES,
    preset: Mapping[str, int] | None = None,
) -> Keys:
    """The keys of the special tokens, in file order.

    Ids from `n_vocab` on are left out. `types` are the roles that are looked for; `preset` gives ids where the files
    give none.
    """
    keys: Keys = []
    if merges and (found := read_merges(files)):
        keys.append(("tokenizer.ggml.merges", array(ValueType.STRING, found)))
    added = read_post_processor(files, types)
    ids = _ids(files, added, n_vocab)
    for kind, number in (preset or {}).items():
        ids.setdefault(kind, number)
    keys += [(f"tokenizer.ggml.{ID_KEYS[kind]}", u32(number)) for kind, number in ids.items() if kind in ID_KEYS]
    adds = {**added.adds}
    if added.config:
        for kind in added.types:
            if isinstance(value := added.config.get(f"add_{kind}_token"), bool):
                adds.setdefault(kind, value)
    keys += [(f"tokenizer.ggml.add_{kind}_token", flag(value)) for kind, value in adds.items() if kind in ADD_KEYS]
    if added.config:
        keys += _templates(files)
    return keys + _normalizer_flags(files)


def _ids(files: TokenizerFiles, added: AddedSpecials, n_vocab: int | None) -> dict[str, int]:
    """Token ids by role: what tokenizer_config.json names, then what config.json says."""
    ids: dict[str, int] = {}

    def note(kind: str, number: Any) -> None:
        # -1 stands for "none" in old configs
        if isinstance(number, int) and 0 <= number < (1 << 32 if n_vocab is None else n_vocab):
            ids.setdefault(kind, int(number))

    by_text: dict[str, Any] = {}
    for token in files.tokenizer.get("added_tokens") or ():
        by_text.setdefault(token.get("content"), token.get("id"))
    for kind in added.types:
        named = added.config.get(f"{kind}_token")
        content = named.get("content") if isinstance(named, dict) else named
        if isinstance(content, str):
            note(kind, by_text.get(content))
    config = files.checkpoint.config
    inner = config.get("text_config")
    for kind in added.types:
        number = config.get(f"{kind}_token_id")
        if number is None and isinstance(inner, dict):
            number = inner.get(f"{kind}_token_id")
        note(kind, number)
    return ids


def _templates(files: TokenizerFiles) -> Keys:
    """The chat template, or several named ones with `default` as the plain key."""
    found = files.config.get("chat_template", _template_files(files))
    if isinstance(found, str):
        return [("tokenizer.chat_template", text(found))] if found else []
    if not isinstance(found, list):
        return []
    keys: Keys = []
    names: list[str] = []
    default = None
    for choice in found:
        name = "".join(char if char in LETTERS else "_" for char in choice.get("name", ""))
        template = choice.get("template")
        if not name or template is None:
            continue
        if name == "default":
            default = template
            continue
        names.append(name)
        if template:
            keys.append((f"tokenizer.chat_template.{name}", text(template)))
    if names:
        keys.append(("tokenizer.chat_templates", array(ValueType.STRING, dict.fromkeys(names))))
    if default:
        keys.append(("tokenizer.chat_template", text(default)))
    return keys


def _template_files(files: TokenizerFiles) -> str | list[dict[str, str]] | None:
    checkpoint = files.checkpoint
    if checkpoint.has("chat_template.jinja"):
        template = checkpoint.read_text("chat_template.jinja")
        more = sorted((files.root / "additional_chat_templates").glob("*.jinja"))
        if not more:
            return template
        return [{"name": "default", "template": template}, *(_named(files, path) for path in more)]
    if checkpoint.has("chat_template.json"):
        found: str | list[dict[str, str]] | None = checkpoint.read_json("chat_template.json").get("chat_template")
        return found
    return None


def _named(files: TokenizerFiles, path: Path) -> dict[str, str]:
    return {"name": path.stem, "template": files.checkpoint.read_text(str(path.relative_to(files.root)))}


def _normalizer_flags(files: TokenizerFiles) -> Keys:
    flags: dict[str, Any] = {}
    for normalizer in _flattened(files.tokenizer.get("normalizer")):
        kind = normalizer.get("type")
        if kind == "Lowercase":
            flags["lowercase"] = True
        elif kind == "StripAccents":
            flags["strip_accents"] = True
        elif kind == "BertNormalizer":
            flags |= {name: normalizer[name] for name in ("lowercase", "strip_accents") if name in normalizer}
    order = ((name, flags.get(name)) for name in ("lowercase", "strip_accents"))
    for name, value in order:
        if value is not None and not isinstance(value, bool):
            raise TokenizerError(f"{files.root / TOKENIZER_JSON}: normalizer: {name} is {value!r:.40}")
    return [(f"tokenizer.ggml.normalizer.{n}", flag(flags[n])) for n in ("lowercase", "strip_accents") if flags.get(n) is not None]


def _flattened(normalizer: Any) -> Iterable[dict[str, Any]]:
    if not isinstance(normalizer, dict):
        return ()
    if normalizer.get("type") != "Sequence":
        return (normalizer,)
    return (inner for item in normalizer.get("normalizers", ()) for inner in _flattened(item))
