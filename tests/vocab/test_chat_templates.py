from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ggufpress.errors import TokenizerError
from ggufpress.gguf.values import Metadata, ValueType, array, text
from ggufpress.source.checkpoint import Checkpoint
from ggufpress.vocab.chat_templates import read_chat_template, set_chat_template
from ggufpress.vocab.tokenizer_files import TokenizerFiles

MakeFolder = Callable[..., Checkpoint]


def named(name: str, template: Any) -> dict[str, Any]:
    return {"name": name, "template": template}


def test_places_in_order(folder: MakeFolder) -> None:
    files = TokenizerFiles(folder({"chat_template.json": {"chat_template": "json"}}))
    assert read_chat_template(files, {}) == "json"
    files = TokenizerFiles(folder({"chat_template.jinja": "jinja"}))
    assert read_chat_template(files, {}) == "jinja"
    assert read_chat_template(files, {"chat_template": "config"}) == "config"
    assert read_chat_template(files, {"chat_template": None}) is None
    assert read_chat_template(files, {"chat_template": {"default": "x"}}) is None


def test_additional_templates(folder: MakeFolder) -> None:
    files = {
        "chat_template.jinja": "d",
        "additional_chat_templates/tool.jinja": "t",
        "additional_chat_templates/x.md": "",
    }
    assert read_chat_template(TokenizerFiles(folder(files)), {}) == [named("default", "d"), named("tool", "t")]


def test_named_ones_stand_before_their_list_and_the_default() -> None:
    out: Metadata = {}
    entries = [named("default", "d"), named("tool use", "t"), named("rag", ""), named("é1", "u"), named("x", None)]
    set_chat_template(out, [*entries, {"template": "nameless"}], "f")
    assert list(out.items()) == [
        ("tokenizer.chat_template.tool_use", text("t")),
        ("tokenizer.chat_template._1", text("u")),
        ("tokenizer.chat_templates", array(ValueType.STRING, ["tool_use", "rag", "_1"])),
        ("tokenizer.chat_template", text("d")),
    ]


@pytest.mark.parametrize("template", ["", [], [named("default", "")], None])
def test_empty_ones_leave_no_key(template: Any) -> None:
    out: Metadata = {}
    set_chat_template(out, template, "f")
    assert out == {}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (["x"], r"f\[0\] must be an object, not a string"),
        ([named("a", 5)], r"f\[0\]: template must be a string"),
        ([{"name": 5, "template": "x"}], r"f\[0\]: name must be a string, not a number"),
        ("\ud800", "f holds half of a surrogate pair"),
        ([named("a", "\ud800")], r"f\[0\]: template holds half of a surrogate pair"),
    ],
)
def test_broken_templates(template: Any, message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        set_chat_template({}, template, "f")
