"""A user's message in the form that a model was trained on: its own chat template, else llama.cpp's list of known ones.

The template is rendered by jinja2 in its sandbox, set up as transformers does it, for llama.cpp's C functions only know a
fixed list. A template is untrusted: the sandbox lets it change nothing and reach no attribute of Python's.
Source: transformers 4.57.6, utils/chat_template_utils.py (`_compile_jinja_template`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from ggufpress.llama.model import Model


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is given, and what made it: "chat template", "known template" or "plain text"."""

    text: str
    made_by: str


def chat_prompt(model: Model, message: str) -> Prompt:
    """`message` as a user's turn, with the opening of the answer; as it is where the file has no template that works."""
    template = model.template()
    if template is None:
        return Prompt(message, "plain text")
    if (rendered := _rendered(model, template, message)) is not None:
        return Prompt(rendered, "chat template")
    if (known := model.apply_known_template(template, message)) is not None:
        return Prompt(known, "known template")
    return Prompt(message, "plain text")


def _rendered(model: Model, template: str, message: str) -> str | None:
    # an optional package, like llama.cpp itself
    try:
        sandbox = import_module("jinja2.sandbox")
    except ImportError:
        return None
    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    values: dict[str, Any] = {
        "messages": [{"role": "user", "content": message}],
        "add_generation_prompt": True,
        "tools": None,
        "bos_token": model.token_text(model.vocab_fact("bos")),
        "eos_token": model.token_text(model.vocab_fact("eos")),
    }
    # whatever a template does wrong, of any kind, it is only no use
    try:
        text: str = environment.from_string(template).render(values)
    except Exception:
        return None
    return text


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **rest: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _refuse(message: str) -> str:
    raise ValueError(message)
