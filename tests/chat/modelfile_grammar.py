"""What Ollama reads in a Modelfile. Source: Ollama docs/modelfile.mdx, parser/parser.go."""

from __future__ import annotations

import re

COMMANDS = ("from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message",
            "requires")  # fmt: skip
PARAMETERS = ("num_ctx", "repeat_last_n", "repeat_penalty", "temperature", "seed", "stop", "num_predict", "top_k", "top_p",
              "min_p")  # fmt: skip


def commands(text: str) -> list[tuple[str, str]]:
    """(command, value) of each instruction; a parameter's command is `parameter NAME`. Raises AssertionError."""
    found, at = [], 0
    while at < len(text):
        if match := re.compile(r"(?:[ \t\r\n]+|#[^\n]*\n?)").match(text, at):
            at = match.end()
            continue
        name = re.compile(r"([A-Za-z]+)[ \t]+").match(text, at)
        assert name, text[at:]
        assert name[1].lower() in COMMANDS
        command, at = name[1].lower(), name.end()
        if command == "parameter":
            what = re.compile(r"(\w+)[ \t]+").match(text, at)
            assert what
            assert what[1] in PARAMETERS
            command, at = f"parameter {what[1]}", what.end()
        value, at = _value(text, at)
        found.append((command, value))
    assert any(command == "from" for command, _ in found), "no FROM line"
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    """A value ends at the first end of line at which its quotes are closed."""
    end = at
    while True:
        end = text.find("\n", end)
        end = len(text) if end < 0 else end
        raw = text[at:end].strip()
        if raw.startswith('"""'):
            if len(raw) >= 6 and raw.endswith('"""'):
                return raw[3:-3], end
        elif not raw.startswith('"'):
            return raw, end
        elif len(raw) >= 2 and raw.endswith('"'):
            return raw[1:-1], end
        assert end < len(text), f"not closed: {raw}"
        end += 1
