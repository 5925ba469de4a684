"""A chat format in the words of Ollama: a Go template, stop words, a Modelfile.

Source: Ollama docs/template.mdx, docs/modelfile.mdx, parser/parser.go (quoting); huggingface.co/docs/hub/ollama (the
repository files `template` and `params`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from ggufpress.chat.format import ChatFormat

_MARKER = re.compile(r"<\|[^|<>\s]+\|>|<｜[^｜<>]+｜>|<</?[A-Z]+>>|\[/?[A-Z_]+\]|</?[a-z_]+>")
"""What looks like a control token: `<|im_end|>`, `<｜User｜>`, `<<SYS>>`, `[INST]`, `</s>`."""

PARAMETERS = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")
"""The parameters of sampling that a Modelfile can set, of those that a GGUF file can state."""


def go_template(found: ChatFormat) -> str:
    """The format as a Go template over `.Messages`, as Ollama renders it."""
    system = f"{_go(found.system_before)}{{{{ $.System }}}}{_go(found.system_after)}"
    if not found.has_system:
        # as Ollama does for Gemma: the words are not lost, they come before the user's
        system = "{{ $.System }}\n\n"
    inside = found.system_inside or not found.has_system
    first = f"{{{{ if and $.System (le $i 1) }}}}{system}{{{{ end }}}}" if inside else ""
    otherwise = f"{{{{ else }}}}{_go(found.without_system)}" if found.without_system else ""
    head = _go(found.without_system) if inside else f"{{{{ if .System }}}}{system}{otherwise}{{{{ end }}}}"
    return (
        head
        + "{{ range $i, $_ := .Messages }}"
        + f'{{{{ if eq .Role "user" }}}}{_go(found.user_before)}{first}{{{{ .Content }}}}{_go(found.user_after)}'
        + f'{{{{ else if eq .Role "assistant" }}}}{_go(found.answer_before)}{{{{ .Content }}}}{_go(found.answer_after)}'
        + "{{ end }}{{ end }}"
        + _go(found.generation)
    )


def stop_words(found: ChatFormat, ends: Iterable[str] = ()) -> tuple[str, ...]:
    """Where an answer must stop: at `ends`, the tokens that end one, and at the marks that begin another turn."""
    marks = _MARKER.findall(found.answer_after) + _MARKER.findall(found.user_before)
    if not marks and (words := found.user_before.strip()):
        marks = [words]
    return tuple(dict.fromkeys(word for word in (*ends, *marks) if word))


def params(stop: Iterable[str], sampling: Mapping[str, float] | None = None) -> str:
    """The content of the repository file `params`."""
    return json.dumps({"stop": list(stop), **_sampling(sampling)}, indent=2, ensure_ascii=False) + "\n"


def modelfile(file: str, template: str | None, stop: Iterable[str], sampling: Mapping[str, float] | None = None) -> str:
    """A Modelfile for the GGUF file called `file`, which stands beside it.

    Without a template, as for a model that only continues a text, Ollama hands on what it is given. Lines that the
    grammar cannot hold are left out.
    """
    lines = [f"FROM ./{file}"]
    if template is not None and '"""' not in template and _printable(template):
        lines.append(f'TEMPLATE """{template}"""')
    lines += [f'PARAMETER stop "{word}"' for word in stop if _printable(word)]
    lines += [f"PARAMETER {name} {value:g}" for name, value in _sampling(sampling).items()]
    return "\n".join(lines) + "\n"


def _sampling(stated: Mapping[str, float] | None) -> dict[str, float]:
    return {name: round(stated[name], 4) for name in PARAMETERS if stated and name in stated}


def _printable(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


def _go(text: str) -> str:
    """Text as a Go template shows it unchanged."""
    return text.replace("{{", '{{ "{{" }}')
