"""The process that renders a chat template: a program of its own, which trusts nothing and holds nothing.

Reads one JSON object from standard input (template, bos_token, eos_token, conversations) and writes a JSON list with one
entry per conversation: the text, or null where the template refuses it. It imports nothing of ggufpress.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any, NoReturn

import jinja2
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

CPU_SECONDS = 3
MEMORY_BYTES = 1 << 30
MAX_TEXT = 1 << 18
DATE = "26 Jul 2024"
"""What templates that want today's date are told: the date that Llama 3.1's template has for itself."""


class Generation(Extension):
    """`{% generation %}`, which marks what the model says, and adds nothing to it."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> Any:
        """The statements inside."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def refuse(message: str = "") -> NoReturn:
    """What `raise_exception` in a template does."""
    raise jinja2.TemplateError(message)


def to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    """JSON as chat templates expect it: not escaped for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def environment() -> ImmutableSandboxedEnvironment:
    """Jinja as Hugging Face's tokenizers set it up."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = refuse
    return made


def limit() -> None:
    """Bound what this process may use. Where the system cannot, the parent's clock is what is left."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def rendered(template: jinja2.Template, values: dict[str, Any]) -> str | None:
    """The text, or None where the template refuses, fails, or writes without end."""
    pieces, length = [], 0
    try:
        for piece in template.generate(values):
            length += len(piece)
            if length > MAX_TEXT:
                return None
            pieces.append(piece)
    except Exception:
        return None
    return "".join(pieces)


def main() -> None:
    """Render what standard input asks for."""
    asked = json.load(sys.stdin)
    limit()
    try:
        template = environment().from_string(asked["template"])
    except Exception:
        json.dump([None] * len(asked["conversations"]), sys.stdout)
        return
    texts = []
    for conversation in asked["conversations"]:
        values = {
            "messages": conversation["messages"],
            "add_generation_prompt": conversation["add_generation_prompt"],
            "bos_token": asked["bos_token"],
            "eos_token": asked["eos_token"],
            "tools": None,
            "documents": None,
        }
        text = rendered(template, values)
        # templates ask whether the function is there, and Llama's has a date of its own where it is not
        texts.append(text if text is not None else rendered(template, values | {"strftime_now": lambda _: DATE}))
    json.dump(texts, sys.stdout)


if __name__ == "__main__":
    main()
