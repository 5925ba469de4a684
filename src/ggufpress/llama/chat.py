"""A user's message in the form that a model was trained on: its own chat template, else llama.cpp's list of known ones.

The template is rendered by jinja2, for llama.cpp's C functions only know a fixed list.
"""

from __future__ import annotations

from dataclasses import dataclass

from ggufpress.chat.render import Conversation, render
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
    bos, eos = (model.token_text(model.vocab_fact(name)) for name in ("bos", "eos"))
    (text,) = render(template, [Conversation((("user", message),))], bos=bos, eos=eos)
    return text
