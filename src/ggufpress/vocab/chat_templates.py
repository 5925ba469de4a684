"""Chat templates: where a checkpoint may have them, and the keys that they become."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, TypeAlias

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, ValueType, array, text
from ggufpress.vocab.tokenizer_files import TokenizerFiles, expect_list, expect_object, expect_text

ChatTemplate: TypeAlias = str | list[Any] | None
"""One template, a list of objects with `name` and `template`, or none."""

KEY = "tokenizer.chat_template"
NAMES_KEY = "tokenizer.chat_templates"
DEFAULT = "default"
MORE_TEMPLATES = "additional_chat_templates"

_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits)


def read_chat_template(files: TokenizerFiles, config: Mapping[str, Any]) -> ChatTemplate:
    """The template in tokenizer_config.json (`config`), else in chat_template.jinja, else in chat_template.json.

    Beside chat_template.jinja, additional_chat_templates/*.jinja are named ones, in the folder's own order, as the
    reference lists them. A `chat_template` of another type than string and list counts as none.
    Source: gguf-py/gguf/vocab.py, SpecialVocab.
    """
    if "chat_template" in config:
        stated = config["chat_template"]
        return stated if isinstance(stated, str | list) else None
    if files.has("chat_template.jinja"):
        template = files.read_text("chat_template.jinja")
        more = [name for name in files.checkpoint.small.names(MORE_TEMPLATES) if name.endswith(".jinja")]
        named = [_named(PurePosixPath(name).stem, files.read_text(name)) for name in more]
        return [_named(DEFAULT, template), *named] if named else template
    stated = (files.json("chat_template.json") or {}).get("chat_template")
    return stated if isinstance(stated, str | list) else None


def _named(name: str, template: str) -> dict[str, str]:
    return {"name": name, "template": template}


def set_chat_template(metadata: Metadata, template: ChatTemplate, where: str) -> None:
    """Set the keys of `template` in `metadata`; named ones in the order of the list.

    The reference lists the names in the order of a set, which differs from run to run.
    Source: gguf-py/gguf/gguf_writer.py, add_chat_template. Raises TokenizerError that begins with `where`.
    """
    if template is None:
        return
    default: str | None = None
    if isinstance(template, str):
        default = expect_text(template, where)
    else:
        names: dict[str, None] = {}
        for i, entry in enumerate(expect_list(template, where)):
            name, content = _entry(entry, f"{where}[{i}]")
            if not name or content is None:
                continue
            if name == DEFAULT:
                default = content
                continue
            names[name] = None
            if content:
                metadata[f"{KEY}.{name}"] = text(content)
        if names:
            metadata[NAMES_KEY] = array(ValueType.STRING, names)
    if default:
        metadata[KEY] = text(default)


def _entry(entry: Any, where: str) -> tuple[str, str | None]:
    entry = expect_object(entry, where)
    name, content = entry.get("name", ""), entry.get("template")
    cleaned = "".join(c if c in _NAME_CHARACTERS else "_" for c in expect_text(name, f"{where}: name"))
    if content is not None and not isinstance(content, str):
        raise TokenizerError(f"{where}: template must be a string")
    return cleaned, None if content is None else expect_text(content, f"{where}: template")
