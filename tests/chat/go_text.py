"""The part of Go's text/template that our templates use, to see what Ollama would make of them.

Source: Ollama template/template.go (what `.System` and `.Messages` are), pkg.go.dev/text/template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

TOKEN = re.compile(r"\{\{ (.*?) \}\}", re.DOTALL)


def go_text(template: str, messages: Sequence[tuple[str, str]]) -> str:
    """What the template gives for messages, of which consecutive ones have different roles."""
    system = "\n\n".join(content for role, content in messages if role == "system")
    root = {"System": system, "Messages": [{"Role": role, "Content": content} for role, content in messages]}
    pieces = TOKEN.split(template)
    out, rest = _block(pieces, 0, root, {"$": root})
    assert rest == len(pieces)
    return out


def _block(pieces: list[str], at: int, dot: Any, names: dict[str, Any], live: bool = True) -> tuple[str, int]:
    """Text up to the `end` or `else` at which it stops, and where that is."""
    out = ""
    while at < len(pieces):
        if at % 2 == 0:
            out += pieces[at] if live else ""
            at += 1
            continue
        word, _, rest = pieces[at].partition(" ")
        if word in ("end", "else"):
            return out, at
        if word == "if":
            text, at = _if(pieces, at, rest, dot, names, live)
            out += text
        elif word == "range":
            text, at = _range(pieces, at, dot, names, live)
            out += text
        else:
            out += str(_value(pieces[at], dot, names)) if live else ""
            at += 1
    return out, at


def _if(pieces: list[str], at: int, condition: str, dot: Any, names: dict[str, Any], live: bool) -> tuple[str, int]:
    holds = live and bool(_value(condition, dot, names))
    out, at = _block(pieces, at + 1, dot, names, holds)
    word = pieces[at]
    if word == "end":
        return out, at + 1
    if word == "else":
        other, at = _block(pieces, at + 1, dot, names, live and not holds)
        assert pieces[at] == "end"
        return out + other, at + 1
    other, at = _if(pieces, at, word.removeprefix("else if "), dot, names, live and not holds)
    return out + other, at


def _range(pieces: list[str], at: int, dot: Any, names: dict[str, Any], live: bool) -> tuple[str, int]:
    assert pieces[at] == "range $i, $_ := .Messages"
    out, end = "", at
    for number, message in enumerate(dot["Messages"] if live else []):
        text, end = _block(pieces, at + 1, message, {**names, "$i": number})
        out += text
    return out, end + 1


def _value(words: str, dot: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    if match := re.fullmatch(r'eq \.Role "(\w+)"', words):
        return dot["Role"] == match[1]
    if words == "and $.System (le $i 1)":
        return names["$"]["System"] and names["$i"] <= 1
    if words.startswith('"'):
        return words[1:-1]
    return names["$"][words[2:]] if words.startswith("$.") else dot[words[1:]]
